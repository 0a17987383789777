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

/** Promises by key, of which the most recently used are kept. A rejected promise is not kept. */
export interface PromiseCache<T> {
  /** Returns the promise of `key`, which `make` creates where it is not kept. */
  load: (key: string, make: () => Promise<T>) => Promise<T>
  delete: (key: string) => void
}

/** Creates a cache that keeps at most `limit` promises and drops the least recently used one first. */
export function createPromiseCache<T>(limit = Infinity): PromiseCache<T> {
  const kept = new Map<string, Promise<T>>()
  return {
    load: (key, make) => {
      const value = kept.get(key) ?? make()
      kept.delete(key)
      kept.set(key, value)
      const [oldest] = kept.keys()
      if (kept.size > limit && oldest !== undefined) kept.delete(oldest)
      value.catch(() => kept.delete(key))
      return value
    },
    delete: key => void kept.delete(key),
  }
}
