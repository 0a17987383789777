import { type Random, randomFrom, shuffle } from './metrics/random.ts'

export { type Random } from './metrics/random.ts'

/** Draws that depend on `seed` and on `purpose`, so that two uses of one seed do not share their numbers. */
export const random = (seed: number, purpose: string): Random => randomFrom(seed * 2 ** 16 + (hash(purpose) & 0xffff))

/** FNV-1a over UTF-16 units, folded to 16 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  return value ^ (value >>> 16)
}

/** The numbers 0 … count-1 in random order. */
export function permutation(count: number, draw: Random): Int32Array {
  const order = Int32Array.from({ length: count }, (_, i) => i)
  shuffle(order, draw)
  return order
}
