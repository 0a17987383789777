import { rm } from 'node:fs/promises'
import { expect, onTestFinished, test } from 'vitest'
import { linearProbes } from '../../src/experiments/linearProbe.ts'
import { linearProbeAnswer } from '../../src/cli/print/linearProbe.ts'
import { answersText } from '../../src/cli/print/answer.ts'
import { randomFrom } from '../../src/lib/random.ts'
import { fillNormal } from '../../src/metrics/samplers.ts'
import { evenly, type StoredResult, storeRun } from '../helpers/storedRun.ts'

const width = 64

/** Standard normal rows; the first value is moved by `shift(i)`. */
function normalRows(count: number, shift: (i: number) => number): (i: number) => number[] {
  const values = fillNormal(new Float64Array(count * width), randomFrom(7))
  return i => {
    const row = [...values.subarray(i * width, (i + 1) * width)]
    row[0]! += shift(i)
    return row
  }
}

async function stored(
  result: Partial<StoredResult> & Pick<StoredResult, 'correct'>,
): Promise<string> {
  const folder = await storeRun([{ model: 'm', dataset: 'd', ...result }])
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

const regionOf = (i: number): string => (i % 2 ? 'Africa' : 'Europe')

test('two places whose features differ by two deviations are told as well as they can be', async () => {
  const count = 2000
  const folder = await stored({
    correct: [...evenly(count / 2, 0.8), ...evenly(count / 2, 0.8)],
    groups: i => ({ region: regionOf(i), household: `home ${i >> 1}` }),
    features: normalRows(count, i => (i % 2 ? 1 : -1)),
  })
  const rows = await linearProbes(folder, { targets: ['region'], shots: [1, 16], seeds: 3 })
  const [one, few, all] = rows
  // The best classifier is right for the share Φ(1) = .841; one of estimated weights loses about a point.
  expect(all!.accuracy).toBeGreaterThan(0.79)
  expect(all!.accuracy).toBeLessThan(0.86)
  expect(few!.accuracy).toBeGreaterThan(0.6)
  expect(few!.accuracy).toBeLessThan(all!.accuracy!)
  expect(one!.accuracy).toBeLessThan(few!.accuracy!)
  expect(all).toMatchObject({ shots: null, places: 2, n: 1000, reason: null })
  expect(all!.chance).toBeCloseTo(0.5, 1)
  expect(all!.balanced).toBeCloseTo(all!.accuracy!, 1)
  expect(all!.lowest).toBeLessThanOrEqual(all!.accuracy!)
  expect(all!.highest).toBeGreaterThanOrEqual(all!.accuracy!)
  expect(all!.disparity).toBeCloseTo(0, 1)
  const text = answersText([linearProbeAnswer(rows)], 'text')
  expect(text).toMatch(/m on d: its features tell the region of 8\d\.\d % of the photographs/)
})

test('what a household alone shows is not learned: its photographs are in one part only', async () => {
  const homes = 40
  const signs = randomFrom(3)
  const shown = Array.from({ length: homes }, () =>
    Array.from({ length: width }, () => (signs() < 0.5 ? -3 : 3)),
  )
  const folder = await stored({
    correct: evenly(homes * 20, 0.5),
    groups: i => ({ region: regionOf(i % homes), household: `home ${i % homes}` }),
    features: i => shown[i % homes]!,
  })
  const [all] = await linearProbes(folder, { targets: ['region'], shots: [], seeds: 5 })
  expect(all!.accuracy).toBeLessThan(0.75)
})

test('a probe that cannot be had is null with its reason', async () => {
  const folder = await stored({
    correct: evenly(100, 0.5),
    groups: i => ({ region: regionOf(i), country: i < 90 ? 'Kenya' : 'France' }),
    features: normalRows(100, () => 0),
  })
  const rows = await linearProbes(folder, { shots: [40], seeds: 1 })
  expect(
    rows.map(({ target, shots, accuracy, reason }) => [target, shots, accuracy === null, reason]),
  ).toEqual([
    ['region', 40, true, expect.stringMatching(/training photographs in a split, fewer than 40/)],
    ['region', null, false, null],
    ['country', null, true, 'fewer than two values of country have 30 photographs'],
  ])
  const bare = await stored({ correct: [true] })
  await expect(linearProbes(bare)).rejects.toThrow(/evaluate with --keep features/)
})
