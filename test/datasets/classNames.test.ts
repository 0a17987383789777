import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openDataset } from '../../src/datasets/open.ts'
import { imagenetClasses, imagenetNames } from '../../src/datasets/labels/imagenet.ts'
import { parseLabels } from '../../src/datasets/labels/labelSpace.ts'
import { query } from '../../src/lib/sql.ts'
import { lay, makeTar, temporaryFolder } from './fixtures.ts'

const root = temporaryFolder()

interface HubRow {
  path: string
  label: number
}

/** A Parquet file as the hub writes it, with class names in its metadata if there are some. */
async function hubFile(
  path: string,
  rows: readonly HubRow[],
  names?: readonly string[],
): Promise<string> {
  const file = join(root, path)
  lay(root, { [join(path, '..', '.keep')]: '' })
  const features = { image: { _type: 'Image' }, label: { names, _type: 'ClassLabel' } }
  const text = JSON.stringify({ info: { features } }).replaceAll("'", "''")
  const values = rows.map(
    ({ path: name, label }) => `({'bytes': 'x'::BLOB, 'path': '${name}'}, ${label})`,
  )
  const metadata = names ? `, KV_METADATA {huggingface: '${text}'}` : ''
  await query(
    `COPY (SELECT * FROM (VALUES ${values.join(', ')}) t(image, label)) TO '${file}' (FORMAT parquet${metadata})`,
  )
  return file
}

/** A shard with one sample for each label. */
const shard = (labels: readonly (number | string)[]): Buffer =>
  makeTar(
    Object.fromEntries(
      labels.flatMap((label, i) => [
        [`s${i}.jpg`, 'x'],
        [`s${i}.cls`, String(label)],
      ]),
    ),
  )

const rowsOf = (labels: readonly number[]): HubRow[] =>
  labels.map((label, i) => ({ path: `p${i}.jpg`, label }))
const labelsOf = async (spec: Parameters<typeof openDataset>[0]): Promise<(readonly number[])[]> =>
  (await openDataset(spec)).samples.map(({ labels }) => labels)

describe("a Parquet file's class names", () => {
  it.each([
    ['wnids', ['n01531178', 'n01558993'], [[11], [15]]],
    ['names in another case, with underscores', ['GOLDFINCH', 'tree_frog'], [[11], [31]]],
    ['lists of synonyms', ['tench, Tinca tinca', 'junco, snowbird'], [[0], [13]]],
    ['a short name of two classes', ['sunglasses', 'goldfinch'], [[836, 837], [11]]],
    ['names of which one is no class', ['goldfinch', 'saree'], [[11], []]],
  ])('that are %s decide, not the indices', async (_, names, expected) => {
    const name = await hubFile('by-name.parquet', rowsOf([0, 1]), names)
    expect(await labelsOf({ name, labels: 'imagenet' })).toEqual(expected)
  })

  it('that are wnids are ImageNet classes without being asked', async () => {
    const name = await hubFile('wnids.parquet', rowsOf([1]), ['n01440764', 'n01531178'])
    expect(await openDataset({ name })).toMatchObject({
      labelSpace: 'imagenet-1k',
      samples: [{ labels: [11], label: 'n01531178' }],
    })
  })

  it('that are the 1,000 lists of synonyms, with two cranes, are ImageNet by index', async () => {
    const names = imagenetClasses.map(({ synonyms }) => synonyms.join(', '))
    const name = await hubFile('imagenet.parquet', rowsOf([134, 517]), names)
    expect(await labelsOf({ name })).toEqual([[134], [517]])
    await expect(openDataset({ name, labels: 'original' })).rejects.toMatchObject({
      code: 'duplicate-class',
    })
  })

  it.each([
    ['an ambiguous name', ['crane', 'goldfinch'], 'ambiguous-class'],
    ['names that fit nothing', ['saree', 'chapati'], 'no-class-fits'],
    ['synset names, which depend on the version of WordNet', ['mouse.n.01'], 'no-class-fits'],
  ])('refuse %s', async (_, names, code) => {
    const name = await hubFile('refused.parquet', rowsOf([0]), names)
    await expect(openDataset({ name, labels: 'imagenet' })).rejects.toMatchObject({ code })
  })

  it('that are missing stop indices, unless a classes file has them', async () => {
    const name = await hubFile('nameless.parquet', rowsOf([0, 1]))
    for (const labels of [undefined, 'imagenet', 'original'])
      await expect(openDataset({ name, labels })).rejects.toMatchObject({ code: 'no-class-names' })
    expect(await openDataset({ name, classes: 'imagenet-1k' })).toMatchObject({
      labelSpace: 'imagenet-1k',
      samples: [{ label: 'tench' }, { label: 'goldfish' }],
    })
  })

  it('tell indices that count from 1', async () => {
    const name = await hubFile('from-1.parquet', rowsOf([1, 2]), ['mug', 'plate'])
    await expect(openDataset({ name })).rejects.toThrow('do the labels count from 1?')
    const files = [1, 2, 3].map(label => ({
      path: `${imagenetClasses[label - 1]!.wnid}_${label}.JPEG`,
      label,
    }))
    const shifted = await hubFile('shifted.parquet', files, imagenetNames)
    await expect(openDataset({ name: shifted })).rejects.toMatchObject({
      code: 'labels-contradict-names',
    })
  })

  it('of few classes in another order are right beside files with the names of ImageNet', async () => {
    const wnids = ['n03888257', 'n01440764', 'n02102040']
    const files = wnids.map((wnid, label) => ({ path: `${wnid}_${label}.JPEG`, label }))
    const name = await hubFile('ten.parquet', files, ['parachute', 'tench', 'springer'])
    const { samples, labelSpace } = await openDataset({ name })
    expect([labelSpace, samples.map(({ labels }) => labels)]).toEqual(['own', [[0], [1], [2]]])
    const classes = join(root, 'own.txt')
    writeFileSync(classes, 'thing\nanimal\n')
    const table = join(root, 'own.csv')
    writeFileSync(table, `image,label\n${wnids[0]!}.JPEG,0\n${wnids[1]!}.JPEG,animal\n`)
    expect((await openDataset({ name: table, classes })).samples).toHaveLength(2)
  })
})

describe('the splits of a hub repository', () => {
  it('skip a test split whose labels are hidden, and name missing parts', async () => {
    for (const [file, labels] of [
      ['test-00000-of-00001', [-1, -1]],
      ['train-00000-of-00001', [0, 0]],
      ['validation-00001-of-00003', [1, 0]],
    ] as const)
      await hubFile(`hidden/data/${file}.parquet`, rowsOf(labels), ['mug', 'plate'])
    const dataset = await openDataset({ name: join(root, 'hidden') })
    expect(dataset.samples.map(({ label }) => label)).toEqual(['plate', 'mug'])
    expect(dataset.notes).toEqual(['its split test has no labels and is not read'])
    expect(dataset.problems.map(({ id, code }) => [id, code])).toEqual([
      ['validation-00000-of-00003.parquet', 'missing-part'],
      ['validation-00002-of-00003.parquet', 'missing-part'],
    ])
  })

  it('stop if the only one has no labels; single images without one are problems', async () => {
    const name = await hubFile('only/test.parquet', rowsOf([-1, -1]), ['mug'])
    await expect(openDataset({ name })).rejects.toMatchObject({ code: 'no-label' })
    const some = await hubFile('some.parquet', rowsOf([0, -1]), ['mug'])
    const { samples, problems } = await openDataset({ name: some })
    expect(samples.map(({ id }) => id)).toEqual(['p0.jpg'])
    expect(problems).toEqual([
      { id: 'p1.jpg', code: 'no-label', message: `no label in row 2 of ${some}` },
    ])
  })
})

describe('a WebDataset shard', () => {
  it('alone has the class names of the folder above, else is refused', async () => {
    lay(join(root, 'wds'), {
      'classnames.txt': 'saree\ngoldfinch\n',
      'test/nshards.txt': '2',
      'test/0.tar': shard([1, 0]),
    })
    const name = join(root, 'wds/test/0.tar')
    expect((await openDataset({ name })).samples.map(({ label }) => label)).toEqual([
      'goldfinch',
      'saree',
    ])
    expect(await labelsOf({ name, labels: 'imagenet' })).toEqual([[11], []])
    lay(join(root, 'alone/a/b/c'), { '0.tar': shard([1]) })
    const alone = join(root, 'alone/a/b/c/0.tar')
    for (const labels of [undefined, 'imagenet'])
      await expect(openDataset({ name: alone, labels })).rejects.toMatchObject({
        code: 'no-class-names',
      })
    expect(await labelsOf({ name: alone, classes: 'imagenet-1k' })).toEqual([[1]])
  })

  it('maps every class that is one of ImageNet by name, also for a set with a shipped map', async () => {
    const name = lay(join(root, 'wds_dollar_street_test'), {
      'classnames.txt': 'analog clock\ntrash can\nmusic speaker\nsunglasses\n',
      'test/nshards.txt': '1',
      'test/0.tar': shard([0, 1, 2, 3]),
    })
    const { samples, labelMap } = await openDataset({ name, labels: 'imagenet' })
    expect(labelMap.name).toBe('by-name')
    expect(samples.map(({ labels }) => labels)).toEqual([[409], [412], [632], [836, 837]])
  })

  it('may have dots in its keys, names as classes, and samples without a label', async () => {
    const name = lay(join(root, 'wds_keys'), {
      'classnames.txt': 'mug\nplate\n',
      'test/nshards.txt': '1',
      'test/0.tar': makeTar({
        'house_1.0.jpg': 'x',
        'house_1.0.cls': '0',
        'house_1.1.jpg': 'x',
        'house_1.1.cls': 'Plate',
        'v2.photo.jpg': 'x',
        'v2.photo.cls': '1',
        's0.seg.png': 'x',
        's0.cls': '0',
        's1.jpg': 'x',
        's1.cls': '-1',
      }),
    })
    const { samples, problems } = await openDataset({ name })
    expect(samples.map(({ id, label }) => [id, label])).toEqual([
      ['0/house_1.0', 'mug'],
      ['0/house_1.1', 'plate'],
      ['0/s0', 'mug'],
      ['0/v2.photo', 'plate'],
    ])
    expect(problems.map(({ id, code }) => [id, code])).toEqual([['0/s1', 'no-label']])
  })

  it.each([
    ['crane\ncrane2\n', [[134], [517]]],
    ['crane2\ncrane\n', [[517], [134]]],
    ['crane\ncrane\n', [[134], [517]]],
    ['Crane (2)\ntench\n', [[517], [0]]],
    ['n02012849 crane\ncrane2\n', [[134], [517]]],
  ])("knows ImageNet's repeated names %j by their number or order", async (names, expected) => {
    const name = lay(join(root, `wds_cranes_${names.length}_${names[5]!.charCodeAt(0)}`), {
      'classnames.txt': names,
      'test/nshards.txt': '1',
      'test/0.tar': shard([0, 1]),
    })
    expect(await labelsOf({ name, labels: 'imagenet' })).toEqual(expected)
  })

  it('tells indices that count from 1', async () => {
    const name = lay(join(root, 'wds_from_1'), {
      'classnames.txt': 'mug\nplate\n',
      'test/nshards.txt': '1',
      'test/0.tar': shard([1, 2]),
    })
    await expect(openDataset({ name })).rejects.toThrow('do the labels count from 1?')
  })
})

describe('labels in a cell', () => {
  it.each([
    ['851.0', ['851']],
    ["['homes']", ['homes']],
    [`['pan, cooking_pan', "baby's bed"]`, ['pan, cooking_pan', "baby's bed"]],
    ['[851.0, nan]', ['851']],
    ['[0 1]', ['0', '1']],
    ['[0. 1.]', ['0', '1']],
    ["('a', 'b')", ['a', 'b']],
    ["{'a'}", ['a']],
    ['["a", "b"]', ['a', 'b']],
    ['[]', []],
    ['-1', []],
    ['-1.0', []],
    ['mug (red)', ['mug (red)']],
    ['(other)', ['(other)']],
    ['plate, dish', ['plate, dish']],
    ['2.5', ['2.5']],
  ])('%s are %j', (cell, expected) => {
    expect(parseLabels(cell)).toEqual(expected)
  })
})

it('original labels that are one class in two spellings are refused', async () => {
  const folder = lay(join(root, 'spellings'), {
    'a.csv': 'image,label\na.jpg,Hand_soap\nb.jpg,hand soap\n',
  })
  await expect(openDataset({ name: join(folder, 'a.csv'), labels: 'original' })).rejects.toThrow(
    'labels that differ in case, spaces or underscores alone: Hand_soap, hand soap',
  )
})
