import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { overlapObjects } from '../../../src/datasets/benchmarks/geode.ts'
import { labelling, ownLabels } from '../../../src/datasets/labels/labelMap.ts'
import { openDataset } from '../../../src/datasets/open.ts'
import { lay, temporaryFolder } from '../fixtures.ts'

describe('the shipped label maps', () => {
  it.each([
    ['dollarstreet-paper', 96, 0, 60],
    ['geode-paper', 40, 6, 142],
  ])('%s: every name resolves to one class', async (file, labels, empty, classes) => {
    const { accepted } = await labelling(file)
    const sets = ownLabels(file).map(label => accepted(label)!)
    expect(sets).toHaveLength(labels)
    expect(sets.filter(set => set.length === 0)).toHaveLength(empty)
    expect(new Set(sets.flat()).size).toBe(classes)
    expect(sets.every(set => new Set(set).size === set.length)).toBe(true)
  })

  it("resolve the paper's spellings as its notes say", async () => {
    const { accepted } = await labelling('dollarstreet-paper')
    expect(accepted('phone')).toEqual(accepted('answering the phone'))
    expect([
      accepted('bed'),
      accepted('freezer'),
      accepted('eating'),
      accepted('dinner guests'),
    ]).toEqual([accepted('couch'), accepted('refrigerator'), [762], [762]])
    const geode = await labelling('geode-paper')
    expect(geode.accepted('car')).toHaveLength(17)
    expect(geode.accepted('plate_of_food')).toEqual(geode.accepted('plate of food'))
    expect(geode.accepted('ufo')).toBeUndefined()
  })
})

it('the overlap of appendix E is where the two maps meet', async () => {
  const [geode, dollarstreet] = [
    await labelling('geode-paper'),
    await labelling('dollarstreet-paper'),
  ]
  const accepted = new Set(
    ownLabels('dollarstreet-paper').flatMap(topic => dollarstreet.accepted(topic)!),
  )
  const meeting = ownLabels('geode-paper').filter(object =>
    geode.accepted(object)!.some(index => accepted.has(index)),
  )
  expect(overlapObjects).toHaveLength(20)
  expect(meeting).toEqual([...overlapObjects])
})

describe('a label map of your own', () => {
  const folder = lay(temporaryFolder(), {
    'index.csv':
      ',file_path,object,region,ip_country\n0,a.jpg,stove,Africa,Kenya\n1,b.jpg,bag,Africa,Kenya\n',
    'images/a.jpg': 'a',
    'mine.json': '{"name": "mine", "labels": {"stove": ["stove", "n03259280", 0]}}',
    'same.json': '{"name": "mine", "labels": {"stove": [827, 544, 0]}}',
    'typo.json': '{"labels": {"stove": ["stofe"]}}',
    'list.json': '["stove"]',
  })
  const open = (labels: string): ReturnType<typeof openDataset> =>
    openDataset({ name: 'geode', data: folder, labels })

  it('takes names, wnids and indices; labels it lacks are reported; its hash follows the classes', async () => {
    const dataset = await open(join(folder, 'mine.json'))
    expect(dataset.samples.map(item => item.labels)).toEqual([[827, 544, 0]])
    expect(dataset.problems).toMatchObject([{ id: 'b.jpg', code: 'unknown-class' }])
    expect(dataset.labelMap).toEqual((await open(join(folder, 'same.json'))).labelMap)
    expect(dataset.labelMap).not.toEqual((await open('imagenet')).labelMap)
  })

  it('lets only mapped classes compete when asked', async () => {
    const dataset = await openDataset({
      name: 'geode',
      data: folder,
      labels: join(folder, 'mine.json'),
      choices: 'mapped',
    })
    expect(dataset.choices).toEqual([0, 544, 827])
  })

  it.each([
    ['typo.json', 'unknown class: stofe; nearest: stove'],
    ['list.json', 'not a label map'],
    ['none.json', 'no such label map'],
  ])('%s is refused', async (file, message) => {
    await expect(open(join(folder, file))).rejects.toThrow(message)
  })
})

describe('labels of manifests and folders', () => {
  const folder = lay(temporaryFolder(), {
    'm.csv': 'image,label\na.jpg,kettle\nb.jpg,mug\n',
    'classes/mug/a.jpg': 'a',
    'classes/kettle/b.jpg': 'b',
    'map.json': '{"labels": {"kettle": ["teapot"], "mug": ["coffee mug", "cup"]}}',
    'part.json': '{"labels": {"kettle": ["teapot"]}}',
  })
  const open = (name: string, labels: string): ReturnType<typeof openDataset> =>
    openDataset({
      name: join(folder, name),
      labels: labels.endsWith('.json') ? join(folder, labels) : labels,
    })

  it.each(['m.csv', 'classes'])('%s: through a map, or as they are', async name => {
    const byLabel = (d: Awaited<ReturnType<typeof openDataset>>): unknown =>
      Object.fromEntries(
        d.samples.map(({ label, labels }) => [label, labels.map(i => d.classes[i])]),
      )
    expect(byLabel(await open(name, 'map.json'))).toEqual({
      kettle: ['teapot'],
      mug: ['coffee mug', 'tea cup'],
    })
    expect(byLabel(await open(name, 'original'))).toEqual({ kettle: ['kettle'], mug: ['mug'] })
    await expect(open(name, 'part.json')).rejects.toThrow('unknown label: mug; nearest: kettle')
  })
})

it('a benchmark refuses options that would do nothing', async () => {
  await expect(openDataset({ name: 'geode', map: { label: 'x' } })).rejects.toThrow(
    'geode is a benchmark and takes no column map',
  )
  await expect(openDataset({ name: 'imagenet-a', classes: 'x' })).rejects.toThrow(
    'takes no classes file',
  )
})
