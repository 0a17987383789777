import { inputError } from './errors.ts'

/** Uniform numbers in [0, 1), the same for the same seed on every machine. */
export type Random = () => number

/** Returns a generator for a seed: Doty-Humphrey's sfc32 (128 bits of state), seeded through splitmix32. Errors: bad-seed. */
export function randomFrom(seed: number): Random {
  if (!Number.isSafeInteger(seed))
    throw inputError('bad-seed', `seed ${seed} is not a whole number`)
  let state = (seed ^ Math.floor(seed / 2 ** 32)) | 0
  const split = (): number => {
    state = (state + 0x9e3779b9) | 0
    let z = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return z ^ (z >>> 15)
  }
  let a = split()
  let b = split()
  let c = split()
  let counter = 1
  const next = (): number => {
    const sum = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + sum) | 0
    return (sum >>> 0) / 2 ** 32
  }
  for (let i = 0; i < 12; i++) next()
  return next
}

/** Draws a whole number from 0 … n - 1. */
export const randomBelow = (n: number, random: Random): number => Math.floor(random() * n)

/** Shuffles in place (Fisher-Yates). */
export function shuffle(values: Int32Array, random: Random): void {
  for (let i = values.length - 1; i > 0; i--) {
    const j = randomBelow(i + 1, random)
    const swapped = values[i]!
    values[i] = values[j]!
    values[j] = swapped
  }
}

/** Returns a generator for a seed and a purpose: two purposes of one seed do not share their numbers. */
export const randomFor = (seed: number, purpose: string): Random =>
  randomFrom(seed * 2 ** 16 + (hash16(purpose) & 0xffff))

/** FNV-1a over UTF-16 units, folded to 16 bits. */
function hash16(text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  return value ^ (value >>> 16)
}

/** Returns the numbers 0 … count - 1 in random order. */
export function randomPermutation(count: number, draw: Random): Int32Array {
  const order = Int32Array.from({ length: count }, (_, i) => i)
  shuffle(order, draw)
  return order
}
