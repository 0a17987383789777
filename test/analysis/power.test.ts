import { expect, it } from 'vitest'
import { datasetPower } from '../../src/analysis/power.ts'
import { answersText } from '../../src/cli/print/answer.ts'
import { powerAnswer } from '../../src/cli/print/power.ts'
import { randomFrom } from '../../src/lib/random.ts'

const options = { accuracy: 0.7, difference: 0.05, correlation: 0.2 }
const items = [
  ...Array.from({ length: 3000 }, () => ({ labels: [0], groups: { region: 'Europe' } })),
  ...Array.from({ length: 400 }, () => ({ labels: [0], groups: { region: 'Africa' } })),
  ...Array.from({ length: 9 }, () => ({ labels: [], groups: { region: 'Africa' } })),
  { labels: [1], groups: { region: null } },
]

it('counts the images that can be scored', () => {
  expect(
    datasetPower(items, ['region'], options).map(({ group, n, otherImages: others }) => [
      group,
      n,
      others,
    ]),
  ).toEqual([
    ['Europe', 3000, 400],
    ['Africa', 400, 3000],
  ])
})

/** How often a two-sample z-test finds a drop of `drop` in simulated data sets. */
function found(n: number, others: number, drop: number): number {
  const random = randomFrom(5)
  const share = (size: number, p: number): number => {
    let hits = 0
    for (let i = 0; i < size; i++) if (random() < p) hits++
    return hits / size
  }
  let count = 0
  for (let i = 0; i < 1000; i++) {
    const [a, b] = [share(others, 0.7), share(n, 0.7 - drop)]
    if ((a - b) / Math.sqrt((a * (1 - a)) / others + (b * (1 - b)) / n) > 1.959964) count++
  }
  return count / 1000
}

it('a drop of the stated size, and of five points with the stated images, is found in about 80 % of simulated data sets', () => {
  const africa = datasetPower(items, ['region'], options)[1]!
  expect(found(africa.n, africa.otherImages, africa.smallestDrop!)).toBeGreaterThan(0.76)
  expect(found(africa.n, africa.otherImages, africa.smallestDrop!)).toBeLessThan(0.84)
  const rate = found(africa.n + africa.imagesToAdd!, africa.otherImages, 0.05)
  expect(rate).toBeGreaterThan(0.76)
  expect(rate).toBeLessThan(0.84)
}, 20_000)

it('counts images of one household for less', () => {
  const housed = items.map((item, i) => ({
    ...item,
    groups: { ...item.groups, household: i < 3000 ? `home ${Math.floor(i / 10)}` : null },
  }))
  const [europe, africa] = datasetPower(housed, ['region'], options)
  const [plain] = datasetPower(items, ['region'], options)
  expect(europe).toMatchObject({ n: 3000, households: 300 })
  expect(europe!.effectiveN).toBeCloseTo(3000 / (1 + 9 * 0.2), 9)
  expect(europe!.smallestDrop).toBeGreaterThan(plain!.smallestDrop!)
  expect(africa).toMatchObject({ n: 400, households: 400, effectiveN: 400 })
  expect(plain!.households).toBeNull()
  const text = answersText([powerAnswer([europe!, africa!], options)], 'text')
  expect(text).toMatch(/Europe +3000 +300 +1071 /)
  expect(text).toContain('a correlation of 0.2 (--correlation)')
})

it('says in words how many groups are large enough', () => {
  const text = answersText([powerAnswer(datasetPower(items, ['region'], options), options)], 'text')
  expect(text).toMatch(
    /^A drop of 5\.0 points below the other groups would be found, with a chance of 80 %, in \d of 2 groups by region\./,
  )
  expect(text).toContain('others too few')
})
