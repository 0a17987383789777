import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { incomeGroup, incomeScheme } from '../../../src/datasets/labels/incomes.ts'
import { openDataset } from '../../../src/datasets/open.ts'
import {
  balanceRegions,
  countSharedHouseholds,
  splitByHousehold,
  type HouseholdImage,
} from '../../../src/datasets/benchmarks/splits.ts'
import { parsePythonList } from '../../../src/datasets/readTable.ts'
import { lay, makeZip, temporaryFolder } from '../fixtures.ts'

const header =
  'id,country.name,country.id,region.id,type,imageRelPath,topics,place,income,imagenet_synonyms,imagenet_sysnet_id'
const row = (
  id: string,
  region: string,
  topics: string,
  place: string,
  income: string,
  indices: string,
): string =>
  `${id},Kenya,ke,${region},image,assets/${id}/${id}.jpg,"${topics}",${place},${income},"['x']","${indices}"`

const test = [
  row('a1', 'af', "['stove/hob']", 'h1', '50.5', '[827]'),
  row('a2', 'eu', "['hand washing', 'tv']", 'h2', '700', '[851]'),
  row('a3', 'as', "['teeth']", 'h3', '3000', '[999]'),
  row('a4', 'am', "['knifes']", 'h4', '195', '[623]'),
  ',Kenya,ke,af,image,assets/x.jpg,"[\'tv\']",h1,1,"[]","[851]"',
]
const train = [
  row('b1', 'af', "['tv']", 'h1', '10', '[851]'),
  row('b2', 'eu', "['tv']", 'h5', '20', '[851]'),
]
const files = {
  'images_v2_imagenet_test.csv': [header, ...test, ''].join('\n'),
  'images_v2_imagenet_train.csv': [header, ...train, ''].join('\n'),
  'assets/a1/a1.jpg': 'one',
  'assets/a2/a2.jpg': 'two',
  'assets/b1/b1.jpg': 'b',
  'assets/b2/b2.jpg': 'b',
}
const under = (folder: string): Record<string, string> =>
  Object.fromEntries(Object.entries(files).map(([name, content]) => [`${folder}/${name}`, content]))

describe('Dollar Street', () => {
  const data = lay(temporaryFolder(), under('dataset_dollarstreet'))

  it('reads the published test part: topics, classes, places; unknown topics and rows without id are reported', async () => {
    const dataset = await openDataset({ name: 'dollarstreet/published', data })
    expect(
      dataset.samples.map(({ id, label, labels, bytes }) => [id, label, labels, bytes]),
    ).toEqual([
      ['a1', 'stove/hob', [827], 3],
      ['a2', 'tv', [851], 3],
      ['a4', 'knifes', [623], null],
    ])
    expect(dataset.samples.map(item => item.groups)).toEqual([
      { region: 'Africa', country: 'Kenya', income: 50.5, income_group: 'Q4', household: 'h1' },
      { region: 'Europe', country: 'Kenya', income: 700, income_group: 'Q2', household: 'h2' },
      { region: 'Americas', country: 'Kenya', income: 195, income_group: 'Q4', household: 'h4' },
    ])
    expect(dataset.problems.map(({ id, code, message }) => [id, code, message])).toEqual([
      ['a3', 'unknown-class', 'unknown class: topics teeth'],
      ['row 5', 'no-id', 'no id in row 5 of published'],
    ])
    expect(dataset.labelMap.name).toBe('dollarstreet-paper-1')
    expect(dataset.notes).toEqual([
      'the published split shares 1 households between training and test',
    ])
  })

  it('marks classes that do not follow the map', async () => {
    const other = {
      ...under('dollarstreet'),
      'dollarstreet/images_v2_imagenet_test.csv': [
        header,
        row('a1', 'af', "['tv']", 'h', '1', '[664]'),
        '',
      ].join('\n'),
    }
    const dataset = await openDataset({
      name: 'dollarstreet/published',
      data: lay(temporaryFolder(), other),
    })
    expect(dataset.samples[0]!.labels).toEqual([664])
    expect(dataset.labelMap.name).toBe('dollarstreet-stated')
    const printed = await openDataset({
      name: 'dollarstreet/published',
      data: lay(temporaryFolder(), other),
      labels: 'imagenet',
    })
    expect(printed.samples[0]!.labels).toEqual([851])
  })

  it('has the 96 sorted topics as its own labels', async () => {
    const dataset = await openDataset({ name: 'dollarstreet/published', data, labels: 'original' })
    expect(dataset.classes).toHaveLength(96)
    expect(dataset.classes).toEqual([...dataset.classes].sort())
    expect(dataset.samples.map(item => item.labels.map(i => dataset.classes[i]))).toEqual([
      ['stove/hob'],
      ['tv'],
      ['knifes'],
    ])
  })

  it('splits by household by default, and the parts share none', async () => {
    const [held, rest] = [
      await openDataset({ name: 'dollarstreet', data }),
      await openDataset({ name: 'dollarstreet/household/train', data }),
    ]
    const households = (d: typeof held): unknown[] =>
      d.samples.map(item => item.groups['household'])
    expect(households(held).filter(household => households(rest).includes(household))).toEqual([])
    expect(held.samples.length + rest.samples.length).toBe(5)
    expect((await openDataset({ name: 'dollarstreet', data })).hash).toBe(held.hash)
  })

  it('is the same from its zip', async () => {
    const zip = makeZip(
      Object.entries(under('dataset_dollarstreet')).map(([name, content]) => ({
        name,
        content,
        deflate: true,
      })),
    )
    const archived = await openDataset({
      name: 'dollarstreet/published',
      data: lay(temporaryFolder(), { 'dollarstreet.zip': zip }),
    })
    expect(archived.hash).toBe((await openDataset({ name: 'dollarstreet/published', data })).hash)
  })

  it('names a column that is missing', async () => {
    const lacking = lay(temporaryFolder(), {
      ...under('dollarstreet'),
      'dollarstreet/images_v2_imagenet_train.csv': 'id,topics\n1,x\n',
    })
    await expect(openDataset({ name: 'dollarstreet', data: lacking })).rejects.toThrow(
      'no column place in images_v2_imagenet_train.csv; columns: id, topics',
    )
  })
})

describe('splits', () => {
  const rows = fc.array(
    fc.record({
      household: fc.integer({ min: 0, max: 30 }).map(n => `h${n}`),
      region: fc.constantFrom('af', 'eu', 'as'),
    }),
    { minLength: 1, maxLength: 200 },
  )

  it('by household: every row once, no shared household, at least the share, at most one household more', () => {
    fc.assert(
      fc.property(rows, fc.integer(), (all, seed) => {
        const { train, test: held } = splitByHousehold(all, 0.2, seed)
        const households = [...new Set(all.map(r => r.household))]
        const largest = Math.max(...households.map(h => all.filter(r => r.household === h).length))
        expect(train.length + held.length).toBe(all.length)
        expect(countSharedHouseholds(train, held)).toBe(0)
        expect(held.length).toBeGreaterThanOrEqual(0.2 * all.length)
        expect(held.length).toBeLessThan(0.2 * all.length + largest)
      }),
    )
  })

  it('do not depend on the order of rows, only on the seed', () => {
    const all: HouseholdImage[] = Array.from({ length: 60 }, (_, i) => ({
      household: `h${i % 20}`,
      region: 'af',
    }))
    const held = (list: readonly HouseholdImage[], seed: number): Set<string> =>
      new Set(splitByHousehold(list, 0.3, seed).test.map(r => r.household))
    expect(held([...all].reverse(), 4)).toEqual(held(all, 4))
    expect(held(all, 5)).not.toEqual(held(all, 4))
  })

  it('balanced: each region has the smallest one’s images or less than one household more', () => {
    const sizes = { af: 5, eu: 50, as: 20 }
    const all = Object.entries(sizes).flatMap(([region, n]) =>
      Array.from({ length: n }, (_, i) => ({ household: `${region}${i % 10}`, region })),
    )
    const counts = Object.keys(sizes).map(
      region => balanceRegions(all, 1).filter(r => r.region === region).length,
    )
    expect(counts[0]).toBe(5)
    expect(counts.every(n => n >= 5 && n < 10)).toBe(true)
  })
})

describe('income groups', () => {
  it('hold incomes up to and including their bound; Q1 is the richest', () => {
    const scheme = incomeScheme('dollarstreet-paper-1')
    expect([0, 195, 195.01, 685, 1963, 1964].map(income => incomeGroup(scheme, income))).toEqual([
      'Q4',
      'Q4',
      'Q3',
      'Q3',
      'Q2',
      'Q1',
    ])
    expect(incomeGroup(scheme, null)).toBeNull()
    expect(() => incomeScheme('quintiles')).toThrow('unknown income scheme: quintiles')
  })
})

it('reads lists as Python prints them', () => {
  expect(parsePythonList(`['tv', "baby's bed", 'a \\'b\\'']`)).toEqual([
    'tv',
    "baby's bed",
    "a 'b'",
  ])
  expect(parsePythonList('[851, 782]')).toEqual(['851', '782'])
  expect(parsePythonList('[]')).toEqual([])
})
