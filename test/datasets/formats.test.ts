import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readImage } from '../../src/datasets/readImage.ts'
import { npyValues } from '../../src/lib/archive/npy.ts'
import { openDataset } from '../../src/datasets/open.ts'
import { imagenetNames } from '../../src/datasets/labels/imagenet.ts'
import { query } from '../../src/lib/sql.ts'
import { lay, makeTar, makeZip, photo, temporaryFolder } from './fixtures.ts'

const root = temporaryFolder()
const photos = [photo(1), photo(2), photo(3), photo(4)]
const labels = [0, 0, 1, 1]
const hex = (bytes: Buffer): string =>
  `'${[...bytes].map(b => `\\x${b.toString(16).padStart(2, '0')}`).join('')}'::BLOB`

async function hubParquet(file: string, options = ''): Promise<string> {
  const rows = photos.map(
    (bytes, i) =>
      `({'bytes': ${hex(bytes)}, 'path': 'p${i}.jpg'}, ${labels[i]!}, ${i * 2.5}, 'R${i % 2}')`,
  )
  const path = join(root, file)
  await query(
    `COPY (SELECT * FROM (VALUES ${rows.join(', ')}) t(image, label, income, region)) TO '${path}' (FORMAT parquet ${options})`,
  )
  return path
}

/** NumPy's format 1 with little-endian 64-bit integers. */
function npy(values: number[]): Buffer {
  const header =
    `{'descr': '<i8', 'fortran_order': False, 'shape': (${values.length},), }`.padEnd(117) + '\n'
  const body = Buffer.alloc(values.length * 8)
  values.forEach((value, i) => body.writeBigInt64LE(BigInt(value), i * 8))
  return Buffer.concat([Buffer.from('\x93NUMPY\x01\x00v\x00', 'latin1'), Buffer.from(header), body])
}

const sample = (i: number): Record<string, string | Buffer> => ({
  [`s000000${i}.webp`]: photos[i]!,
  [`s000000${i}.cls`]: String(labels[i]!),
  [`s000000${i}.npy`]: npy([i % 2, 10 + i]),
})
const wds = (name: string, classnames: string): string =>
  lay(join(root, name), {
    'classnames.txt': classnames,
    'zeroshot_classification_templates.txt': 'a photo of {c}.\na picture of {c}.\n',
    'test/nshards.txt': '2\n',
    'test/0.tar': makeTar({
      ...sample(0),
      ...sample(1),
      's0000009.webp': 'no class',
      's0000008.cls': '0',
    }),
    'test/1.tar': makeTar({
      ...sample(2),
      ...sample(3),
      's0000007.jpg': 'x',
      's0000007.cls': '999999',
    }),
  })

it.each([
  ["'<f2'", []],
  ["'<i16'", []],
  ["'<u3'", []],
  ["'<U1'", ['\u{10ffff}', '\u{10ffff}', '\u{10ffff}', '\u{10ffff}']],
])('an array of %s is read or left, never a fault', (type, expected) => {
  const header = `{'descr': ${type}, 'fortran_order': False, 'shape': (2,), }`.padEnd(117) + '\n'
  const magic = Buffer.from('\x93NUMPY\x01\x00v\x00', 'latin1')
  expect(npyValues(Buffer.concat([magic, Buffer.from(header), Buffer.alloc(16, 0xff)]))).toEqual(
    expected,
  )
})

describe('the same images as class folders, WebDataset shards and Parquet', () => {
  it('have the same labels and bytes', async () => {
    const names = imagenetNames.join('\n') + '\n'
    const folder = lay(join(root, 'folder'), {
      'n01440764/0.jpg': photos[0]!,
      'n01440764/1.jpg': photos[1]!,
      'n01443537/2.jpg': photos[2]!,
      'n01443537/3.jpg': photos[3]!,
    })
    const opened = await Promise.all(
      [
        { name: folder },
        { name: wds('wds_imagenet', names) },
        { name: await hubParquet('hub.parquet'), classes: 'imagenet-1k' },
      ].map(openDataset),
    )
    for (const dataset of opened) {
      expect(dataset.labelSpace).toBe('imagenet-1k')
      expect(dataset.samples.map(item => item.labels)).toEqual([[0], [0], [1], [1]])
      const bytes = await Promise.all(dataset.samples.map(item => readImage(item.image)))
      expect(bytes.map(b => Buffer.from(b))).toEqual(photos)
    }
  })
})

describe('WebDataset shards', () => {
  it('have ids by shard and key, the publisher’s class names, metadata and templates; bad samples are reported', async () => {
    const name = wds('wds_geode_test', 'bag\nhand soap\n')
    const dataset = await openDataset({ name })
    expect(dataset).toMatchObject({
      labelSpace: 'own',
      classes: ['bag', 'hand soap'],
      columns: ['region', 'country'],
    })
    expect(dataset.samples.map(({ id, label, groups }) => [id, label, groups])).toEqual([
      ['0/s0000000', 'bag', { region: 0, country: 10 }],
      ['0/s0000001', 'bag', { region: 1, country: 11 }],
      ['1/s0000002', 'hand soap', { region: 0, country: 12 }],
      ['1/s0000003', 'hand soap', { region: 1, country: 13 }],
    ])
    expect(dataset.problems.map(({ id, code }) => [id, code])).toEqual([
      ['0/s0000008', 'no-image'],
      ['0/s0000009', 'no-label'],
      ['1/s0000007', 'unknown-class'],
    ])
  })

  it("accept ImageNet's classes by the benchmark's map when asked", async () => {
    const dataset = await openDataset({ name: join(root, 'wds_geode_test'), labels: 'imagenet' })
    expect(dataset.labelMap.name).toBe('geode-paper-1')
    expect(dataset.samples[2]!.labels).toEqual([804, 631])
  })

  it("of a folder that is called as a benchmark's copy have its classes and choices", async () => {
    const dataset = await openDataset({ name: wds('wds_imagenet-r_test', 'goldfish\nmissile\n') })
    expect(dataset).toMatchObject({ name: 'wds_imagenet-r_test', labelSpace: 'imagenet-1k' })
    expect(dataset.choices).toHaveLength(200)
    expect(dataset.samples.map(({ labels }) => labels)).toEqual([[1], [1], [657], [657]])
  })

  it('take JSON metadata, in a single shard', async () => {
    const path = join(root, 'one.tar')
    writeFileSync(
      path,
      makeTar({
        'a.jpg': 'x',
        'a.cls': '5',
        'a.json': '{"region": "Asia", "income": 12, "tags": [1, 2]}',
      }),
    )
    const dataset = await openDataset({ name: path, classes: 'imagenet-1k' })
    expect(dataset.samples[0]).toMatchObject({
      id: 'one/a',
      labels: [5],
      groups: { region: 'Asia', income: 12, tags: '[1,2]' },
    })
  })

  const jsonShard = (name: string, metadata: readonly object[]): string => {
    const path = join(root, `${name}.tar`)
    const files = metadata.flatMap((one, i) => [
      [`${i}.jpg`, 'x'],
      [`${i}.json`, JSON.stringify(one)],
    ])
    writeFileSync(path, makeTar(Object.fromEntries(files) as Record<string, string>))
    return path
  }

  it('take the class from JSON where there is no .cls', async () => {
    const path = jsonShard('json', [
      { label: 'mug', country: 'Kenya' },
      { label: 'stove', country: 'Peru' },
    ])
    const dataset = await openDataset({ name: path })
    expect(dataset).toMatchObject({ classes: ['mug', 'stove'], columns: ['country'] })
    expect(dataset.samples.map(({ label, labels, groups }) => [label, labels, groups])).toEqual([
      ['mug', [0], { country: 'Kenya' }],
      ['stove', [1], { country: 'Peru' }],
    ])
    const folder = lay(join(root, 'wds_json'), {
      '00000.tar': readFileSync(path),
      '00001.tar': readFileSync(path),
    })
    expect((await openDataset({ name: folder })).samples).toHaveLength(4)
  })

  it('refuse indices in JSON without class names, and take them with these', async () => {
    const path = jsonShard('indices', [{ cls: 1 }, { cls: 0 }])
    await expect(openDataset({ name: path })).rejects.toMatchObject({ code: 'no-class-names' })
    const classes = join(lay(root, { 'two.txt': 'mug\nstove\n' }), 'two.txt')
    expect((await openDataset({ name: path, classes })).samples.map(({ label }) => label)).toEqual([
      'stove',
      'mug',
    ])
  })

  it('name the fields of JSON that may be the class, and the option that chooses', async () => {
    const path = jsonShard('several', [{ label: 'mug', category: 'kitchen', cls: 'mug' }])
    await expect(openDataset({ name: path })).rejects.toMatchObject({
      code: 'many-label-fields',
      message: expect.stringMatching(/label, category; .*--map label=FIELD/) as string,
    })
    const chosen = await openDataset({ name: path, map: { label: 'category' } })
    expect(chosen.classes).toEqual(['kitchen'])
    const odd = jsonShard('odd', [{ thing: 'mug' }])
    await expect(openDataset({ name: odd })).rejects.toThrow(/fields: thing .*--map label=FIELD/)
    await expect(openDataset({ name: odd, map: { label: 'none' } })).rejects.toMatchObject({
      code: 'no-label-column',
    })
    expect((await openDataset({ name: odd, map: { label: 'thing' } })).classes).toEqual(['mug'])
  })

  it('report samples with broken metadata', async () => {
    const path = join(root, 'broken.tar')
    writeFileSync(
      path,
      makeTar({ 'a.jpg': 'x', 'a.cls': '5', 'a.json': '{"region"', 'b.jpg': 'x', 'b.cls': '5' }),
    )
    const dataset = await openDataset({ name: path, classes: 'imagenet-1k' })
    expect(dataset.samples.map(({ id }) => id)).toEqual(['broken/b'])
    expect(dataset.problems.map(({ id, code }) => [id, code])).toEqual([
      ['broken/a', 'bad-metadata'],
    ])
  })

  it('inside of an archive are refused, not passed over', async () => {
    const path = join(root, 'packed.zip')
    const shard = makeTar({ 'a.jpg': 'x', 'a.cls': '5' })
    const members = { 'classnames.txt': 'a\n', 'test/nshards.txt': '1', 'test/0.tar': shard }
    writeFileSync(
      path,
      makeZip(Object.entries(members).map(([name, content]) => ({ name, content }))),
    )
    await expect(openDataset({ name: path })).rejects.toThrow(
      /shards inside an archive: 0\.tar in .*packed\.zip/,
    )
  })

  it('say when shards are missing', async () => {
    const name = lay(join(root, 'wds_short'), {
      'test/nshards.txt': '3',
      'test/0.tar': makeTar({ 'a.jpg': 'x', 'a.cls': '5' }),
      'classnames.txt': 'a\n',
    })
    await expect(openDataset({ name })).rejects.toThrow('states 3 shards and has 1')
  })
})

describe('Parquet with image bytes', () => {
  it("keeps further columns, takes ids from paths and class names from the file's metadata", async () => {
    const info = JSON.stringify({
      info: { features: { label: { names: ['mug', 'plate'], _type: 'ClassLabel' } } },
    })
    const file = await hubParquet('named.parquet', `, KV_METADATA {huggingface: '${info}'}`)
    const dataset = await openDataset({ name: file })
    expect(dataset).toMatchObject({
      labelSpace: 'own',
      classes: ['mug', 'plate'],
      columns: ['income', 'region'],
    })
    expect(dataset.samples[3]).toMatchObject({
      id: 'p3.jpg',
      label: 'plate',
      groups: { income: 7.5, region: 'R1' },
      bytes: photos[3]!.length,
    })
  })

  it('names the indices of other columns as their metadata does, and takes -1 for unknown', async () => {
    const features = {
      label: { names: ['mug', 'plate'], _type: 'ClassLabel' },
      country: { names: ['Kenya', 'Peru'], _type: 'ClassLabel' },
    }
    const file = join(root, 'countries.parquet')
    const columns = `'x'::BLOB AS image, i % 2 AS label, [1, 0, -1, 7][i + 1] AS country`
    const metadata = `KV_METADATA {huggingface: '${JSON.stringify({ info: { features } })}'}`
    await query(
      `COPY (SELECT ${columns} FROM range(4) t(i)) TO '${file}' (FORMAT parquet, ${metadata})`,
    )
    const { samples } = await openDataset({ name: file })
    expect(samples.map(({ label }) => label)).toEqual(['mug', 'plate', 'mug', 'plate'])
    expect(samples.map(({ groups }) => groups['country'])).toEqual(['Peru', 'Kenya', null, '7'])
  })

  it('takes the bytes of the column that is called image, not those of masks or embeddings', async () => {
    const write = async (name: string, columns: string) => {
      const file = join(root, name)
      await query(`COPY (SELECT 0 AS label, 'a'::BLOB AS "image source", ${columns}) TO '${file}'`)
      return file
    }
    const paths = await write('embedded.parquet', `'a.jpg' AS image, 'xy'::BLOB AS embedding`)
    expect((await openDataset({ name: paths })).samples.map(({ id }) => id)).toEqual(['a.jpg'])
    const masks = await write('masks.parquet', `'m'::BLOB AS mask, 'photo'::BLOB AS image`)
    const { samples, columns } = await openDataset({ name: masks, classes: 'imagenet-1k' })
    expect([samples.map(({ bytes }) => bytes), columns]).toEqual([[5], ['image source', 'mask']])
    const several = await write('several.parquet', `'m'::BLOB AS mask, 'photo'::BLOB AS photo`)
    await expect(openDataset({ name: several })).rejects.toThrow('--map image=COLUMN')
    const map = { image: 'photo' }
    const mapped = await openDataset({ name: several, map, classes: 'imagenet-1k' })
    expect(mapped.samples.map(({ bytes }) => bytes)).toEqual([5])
  })

  it('reads the test files of a folder, in order, with ids by file and row where paths repeat', async () => {
    const folder = lay(join(root, 'hub'), { 'data/README.md': '' })
    for (const part of ['test-00000-of-00002', 'test-00001-of-00002', 'train-00000-of-00001']) {
      await hubParquet(`hub/data/${part}.parquet`)
    }
    const dataset = await openDataset({ name: folder, classes: 'imagenet-1k' })
    expect(dataset.samples).toHaveLength(8)
    expect(dataset.samples[5]!.id).toBe('test-00001-of-00002.parquet#1')
    expect(Buffer.from(await readImage(dataset.samples[5]!.image))).toEqual(photos[1])
  })
})
