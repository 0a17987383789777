/** Returns `make` with its results cached by key; an error is not cached. */
export function memoize<Key, T>(make: (key: Key) => T): (key: Key) => T {
  const results = new Map<Key, T>()
  return key => {
    if (!results.has(key)) results.set(key, make(key))
    return results.get(key) as T
  }
}

/** Returns `make` with its result kept for each object as long as that object lives. */
export function memoizeByObject<Key extends object, T>(make: (key: Key) => T): (key: Key) => T {
  const results = new WeakMap<Key, { value: T }>()
  return key => {
    const kept = results.get(key) ?? { value: make(key) }
    results.set(key, kept)
    return kept.value
  }
}

/** Values by key, of which the most recently used are kept. */
export interface Cache<T> {
  /** Returns the value of `key`, which `make` creates where it is not kept. An error of `make` passes on. */
  load: (key: string, make: () => T) => T
  delete: (key: string) => void
}

/** Creates a cache that keeps at most `limit` objects and drops the least recently used one first. */
export function createCache<T extends object>(limit = Infinity): Cache<T> {
  const kept = new Map<string, T>()
  return {
    load: (key, make) => {
      const value = kept.get(key) ?? make()
      kept.delete(key)
      kept.set(key, value)
      const [oldest] = kept.keys()
      if (kept.size > limit && oldest !== undefined) kept.delete(oldest)
      return value
    },
    delete: key => void kept.delete(key),
  }
}

/** A cache of promises. A rejected one is not kept. */
export type PromiseCache<T> = Cache<Promise<T>>

/** Creates a cache that keeps at most `limit` promises and drops the least recently used one first. */
export function createPromiseCache<T>(limit = Infinity): PromiseCache<T> {
  const cache = createCache<Promise<T>>(limit)
  return {
    ...cache,
    load: (key, make) => {
      const value = cache.load(key, make)
      value.catch(() => cache.delete(key))
      return value
    },
  }
}
