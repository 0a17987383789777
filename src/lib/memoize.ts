/** `make` with what it gave for a key kept; a failure is not. */
export function cached<Key, T>(make: (key: Key) => T): (key: Key) => T {
  const known = new Map<Key, T>()
  return key => {
    if (!known.has(key)) known.set(key, make(key))
    return known.get(key) as T
  }
}
