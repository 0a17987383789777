/**
 * Returns the thing that a mark of a figure is about. The mark's description begins with the thing's text, and with that of another one
 * where a name begins another name (`Congo: ` and `Congo: Kinshasa: `); the longest text counts.
 */
export function findMarked<T>(
  about: string,
  things: readonly T[],
  textOf: (thing: T) => string,
): T | undefined {
  const [found] = things
    .filter(thing => about.startsWith(textOf(thing)))
    .sort((a, b) => textOf(b).length - textOf(a).length)
  return found
}
