/*
 * Randomness from an explicit seed: sfc32 (Chris Doty-Humphrey's small fast counter), integer arithmetic only, so a seed
 * gives the same draws on every machine.
 */

/** The next number in [0, 1), a multiple of 2^-32. */
export type Random = () => number

/** Draws that depend on `seed` and on `purpose`, so that two uses of one seed do not share their numbers. */
export function random(seed: number, purpose = ''): Random {
  let [a, b, c, counter] = [seed | 0, Math.floor(seed / 2 ** 32) | 0, hash(purpose), 1]
  const next: Random = () => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return (sum >>> 0) / 2 ** 32
  }
  for (let i = 0; i < 12; i++) next()
  return next
}

/** FNV-1a over UTF-16 units. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  return value
}

/** The numbers 0 … count-1 in random order (Fisher and Yates). */
export function permutation(count: number, draw: Random): Int32Array {
  const order = Int32Array.from({ length: count }, (_, i) => i)
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(draw() * (i + 1))
    const held = order[i]!
    order[i] = order[j]!
    order[j] = held
  }
  return order
}

/** `values` in random order. */
export const shuffled = <T>(values: readonly T[], draw: Random): T[] =>
  Array.from(permutation(values.length, draw), i => values[i]!)
