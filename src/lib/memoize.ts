/** `make` with what it gave for a key kept; a failure is not. */
export function memoize<Key, T>(make: (key: Key) => T): (key: Key) => T {
  const results = new Map<Key, T>()
  return key => {
    if (!results.has(key)) results.set(key, make(key))
    return results.get(key) as T
  }
}
