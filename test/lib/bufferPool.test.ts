import { expect, test } from 'vitest'
import { createBufferPool } from '../../src/lib/bufferPool.ts'

test('a block that was given back is taken again by the next of its size class', () => {
  const pool = createBufferPool()
  const first = pool.take(100_000)
  const other = pool.take(100_000)
  expect(first.length).toBe(100_000)
  expect(other.buffer).not.toBe(first.buffer)
  pool.giveBack(first.subarray(10, 20))
  expect(pool.take(500_000).buffer).not.toBe(first.buffer)
  expect(pool.take(70_000).buffer).toBe(first.buffer)
  expect(pool.take(70_000).buffer).not.toBe(first.buffer)
})

test('nothing is held twice, of other origin, or beyond the bound', () => {
  const pool = createBufferPool(1 << 18)
  const [one, two, three] = [pool.take(1 << 17), pool.take(1 << 17), pool.take(1 << 17)]
  for (const block of [one, one, two, three, new Uint8Array(1 << 17)]) pool.giveBack(block)
  const again = new Set([1, 2, 3].map(() => pool.take(1 << 17).buffer))
  expect(again.size).toBe(3)
  expect(again.has(one.buffer) && again.has(two.buffer)).toBe(true)
  expect(again.has(three.buffer)).toBe(false)
})

test('an empty block is a block', () => {
  const pool = createBufferPool()
  expect(pool.take(0).length).toBe(0)
})
