import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type DatasetSpec, listDataset } from '../../../src/datasets/open.ts'
import { readImage } from '../../../src/datasets/readImage.ts'
import { query } from '../../../src/lib/sql.ts'
import {
  type FakeDatasetHub,
  type FakeRepository,
  startDatasetHub,
} from '../../lib/hub/fakeDatasetHub.ts'
import { makeTar, temporaryFolder } from '../fixtures.ts'

/* Layouts of repositories on the hub whose labels or files were once read as others, without a word. */

const root = temporaryFolder()
const repositories: Record<string, FakeRepository> = {}
let hub: FakeDatasetHub
let photo: Buffer
let homes = 0

/** Parquet with one image for each label, and the class names in its metadata if given. */
async function parquet(
  labels: readonly number[],
  {
    names,
    column = 'label',
    more = '',
  }: { names?: readonly string[]; column?: string; more?: string } = {},
): Promise<Buffer> {
  const file = join(root, `made-${Math.random()}.parquet`)
  const bytes = [...photo].map(b => `\\x${b.toString(16).padStart(2, '0')}`).join('')
  const rows = labels.map(label => `(${label}::BIGINT)`)
  const info = { info: { features: { label: { _type: 'ClassLabel', names } } } }
  const metadata = names ? `, KV_METADATA {huggingface: '${JSON.stringify(info)}'}` : ''
  await query(
    `COPY (SELECT '${bytes}'::BLOB AS image, label AS ${column}${more} FROM (VALUES ${rows.join(', ') || '(0)'}) t(label) ${labels.length === 0 ? 'LIMIT 0' : ''}) TO '${file}' (FORMAT parquet${metadata})`,
  )
  return readFileSync(file)
}

const shard = (labels: readonly string[], ending = 'cls'): Buffer =>
  makeTar(
    Object.fromEntries(
      labels.flatMap((label, i) => [
        [`s${i}.jpg`, photo],
        [`s${i}.${ending}`, Buffer.from(label)],
      ]),
    ),
  )
const classLabel = (name: string, names: readonly string[]) => ({
  name,
  dtype: { class_label: { names } },
})

let count = 0
function addRepository(
  files: Record<string, Uint8Array | string>,
  rest: Partial<FakeRepository> = {},
): string {
  const name = `acme/layout${count++}`
  const content = Object.entries(files).map(([path, bytes]) => [
    path,
    typeof bytes === 'string' ? Buffer.from(bytes) : bytes,
  ])
  const commit = count.toString(16).padStart(40, '0')
  repositories[name] = {
    ...rest,
    commit,
    files: Object.fromEntries(content) as Record<string, Uint8Array>,
  }
  return `hf:${name}`
}

function list(name: string, spec: Partial<DatasetSpec> = {}) {
  const home = join(root, `home-${homes++}`)
  mkdirSync(home)
  const env = { HF_HOME: home, GEOGAP_CACHE: join(home, 'geogap'), HF_ENDPOINT: hub.endpoint }
  const network = { stallMs: 400, backoffMs: 5, attempts: 3 }
  return listDataset({ name, hub: { env, network }, ...spec })
}
const labelsOf = async (name: string, spec: Partial<DatasetSpec> = {}): Promise<string[]> =>
  (await list(name, spec)).samples.map(({ label }) => label)

beforeAll(async () => {
  const background = { r: 90, g: 20, b: 140 }
  photo = await sharp({ create: { width: 8, height: 8, channels: 3, background } })
    .jpeg()
    .toBuffer()
  hub = await startDatasetHub(repositories)
})
afterAll(() => hub.close())
beforeEach(() => {
  hub.faults = () => undefined
})

describe('Parquet files', () => {
  const test = 'data/test-00000-of-00001.parquet'

  it('take no class names of another configuration', async () => {
    const configs = ['a', 'b'].map(name => ({
      config_name: name,
      data_files: [{ split: 'test', path: `${name}/*` }],
    }))
    const info = [{ config_name: 'a', features: [classLabel('label', ['ant', 'bee'])] }]
    const name = addRepository(
      { 'a/0.parquet': await parquet([1]), 'b/0.parquet': await parquet([1]) },
      { card: { configs, dataset_info: info } },
    )
    expect(await labelsOf(`${name}:a`)).toEqual(['bee'])
    await expect(list(`${name}:b`)).rejects.toThrow(/indices without class names/)
  })

  it('take no column of places for the class', async () => {
    const card = { dataset_info: { features: [classLabel('country', ['Kenya', 'Peru'])] } }
    const file = await parquet([0, 1], { column: 'target', more: ', label AS country' })
    const name = addRepository({ [test]: file }, { card })
    await expect(list(name)).rejects.toThrow(/say which column holds the class/)
  })

  it('have the names of lists as the card writes them now, and globs with excluded characters', async () => {
    const features = [{ name: 'label', list: { class_label: { names: { 0: 'ant', 1: 'bee' } } } }]
    const configs = [{ data_files: [{ split: 'test', path: 'd/p[!0].parquet' }] }]
    const name = addRepository(
      { 'd/p0.parquet': await parquet([0]), 'd/p1.parquet': await parquet([1]) },
      { card: { configs, dataset_info: { features } } },
    )
    expect(await labelsOf(name)).toEqual(['bee'])
  })

  it('that state different class names, or have no rows, are refused', async () => {
    const differing = addRepository({
      'data/test-00000-of-00002.parquet': await parquet([0], { names: ['ant', 'bee'] }),
      'data/test-00001-of-00002.parquet': await parquet([0], { names: ['bee', 'ant'] }),
    })
    await expect(list(differing)).rejects.toThrow(/test-00001-.* state different class names/)
    const empty = join(root, 'empty.parquet')
    writeFileSync(empty, await parquet([], { names: ['ant'] }))
    await expect(listDataset({ name: empty })).rejects.toThrow(/no rows in .*empty/)
  })

  it('are missed by their numbers, also with a hash after these; a partial conversion says so', async () => {
    const names = ['ant', 'bee']
    const name = addRepository({
      'data/test-00000-of-00002-0c1ae4f1.parquet': await parquet([1], { names }),
    })
    expect((await list(name)).problems.map(({ code }) => code)).toEqual(['missing-part'])
    const partial = addRepository({
      'default/partial-test/0000.parquet': await parquet([1], { names }),
    })
    expect((await list(partial)).notes!.join(' ')).toContain('converted a part of it only')
  })

  it('beside shards are tables of these', async () => {
    const name = addRepository({
      '00000.tar': shard(['ant', 'bee']),
      '00000.parquet': await parquet([0]),
    })
    expect(await labelsOf(name)).toEqual(['ant', 'bee'])
  })
})

describe('Parquet files with paths in place of bytes', () => {
  /** A Parquet file of the images that SQL gives for the paths, all of class 1. */
  async function parquetOfPaths(paths: readonly string[], image: string): Promise<Buffer> {
    const file = join(root, `paths-${Math.random()}.parquet`)
    const rows = paths.map(path => `('${path}')`).join(', ')
    await query(
      `COPY (SELECT ${image} AS image, 1::BIGINT AS label FROM (VALUES ${rows}) t(path)) TO '${file}' (FORMAT parquet)`,
    )
    return readFileSync(file)
  }
  const card = { dataset_info: { features: [classLabel('label', ['ant', 'bee'])] } }

  it.each([
    ['a struct with null bytes', `{'bytes': NULL::BLOB, 'path': path}`],
    ['a struct with bytes of no type', `{'bytes': NULL::INTEGER, 'path': path}`],
    ['texts', 'path'],
  ])('as %s are read where these point into the repository', async (_, image) => {
    const paths = ['images/a.jpg', 'data/deep/b.jpg', 'hf://datasets/acme/x@0123/images/a b.jpg']
    const name = addRepository(
      {
        'data/test-00000-of-00001.parquet': await parquetOfPaths([...paths, 'gone.jpg'], image),
        'data/images/a.jpg': photo,
        'images/a b.jpg': Buffer.concat([photo, photo]),
        'data/deep/b.jpg': Buffer.concat([photo, photo, photo]),
        'images/other.jpg': photo,
      },
      { card },
    )
    hub.seen.length = 0
    const { samples } = await list(name)
    expect(
      samples.map(({ id, label, bytes }) => [id, label, bytes && bytes / photo.length]),
    ).toEqual([...paths, 'gone.jpg'].map((path, i) => [path, 'bee', [1, 3, 2, null][i]]))
    const first = await readImage(samples[0]!.image)
    expect(Buffer.from(first).equals(photo)).toBe(true)
    expect(hub.seen.filter(({ path }) => path.includes('other.jpg'))).toEqual([])
  })

  it('are refused if they lead nowhere, and read from a folder beside the table', async () => {
    const struct = `{'bytes': NULL::BLOB, 'path': path}`
    const file = await parquetOfPaths(['/home/me/a.jpg', 'b.jpg'], struct)
    const name = addRepository({ 'test.parquet': file }, { card })
    await expect(list(name)).rejects.toThrow(
      /no images in .*test\.parquet: no file is at its paths, such as \/home\/me\/a\.jpg; give/,
    )
    const folder = join(root, 'beside')
    mkdirSync(folder)
    writeFileSync(join(folder, 'b.jpg'), photo)
    writeFileSync(join(folder, 'table.parquet'), file)
    writeFileSync(join(folder, 'classes.txt'), 'ant\nbee\n')
    const spec = { name: join(folder, 'table.parquet'), classes: join(folder, 'classes.txt') }
    const { samples } = await listDataset(spec)
    expect(samples.map(({ bytes }) => bytes)).toEqual([null, photo.length])
  })
})

describe('columns and cards that once gave other labels or groups, or none', () => {
  const test = 'data/test-00000-of-00001.parquet'
  const names = ['ant', 'bee']

  it('as `data_files` by split, which is read as written', async () => {
    const configs = [{ data_files: { test: 'a/*', train: ['b/*'] } }]
    const files = {
      'a/test.parquet': await parquet([1], { names }),
      'b/test.parquet': await parquet([0], { names }),
    }
    const name = addRepository(files, { card: { configs } })
    expect(await labelsOf(name)).toEqual(['bee'])
    expect(await labelsOf(`${name}:train`)).toEqual(['ant'])
  })

  it('as names of the card that are not those of the file, which are refused', async () => {
    const card = { dataset_info: { features: [classLabel('label', ['bee', 'ant'])] } }
    const name = addRepository({ [test]: await parquet([1], { names }) }, { card })
    await expect(list(name)).rejects.toThrow(
      /the card of .* state different class names: .*--classes/,
    )
    const classes = join(root, 'two.txt')
    writeFileSync(classes, 'ant\nbee\n')
    expect(await labelsOf(name, { classes })).toEqual(['bee'])
  })

  it('as further images, which are no groups, and ids that repeat, which are of something else', async () => {
    const more = `, {'bytes': image, 'path': 'm.png'} AS mask, [image] AS views, 7 AS id, 'x' AS source`
    const { samples, columns } = await list(
      addRepository({ [test]: await parquet([1, 0], { names, more }) }),
    )
    expect(columns).toEqual(['source'])
    expect(samples.map(({ id }) => id.split('#')[1])).toEqual(['0', '1'])
  })

  it('as labels that are objects, and tables that name images in another column', async () => {
    const objects = addRepository({
      [test]: await parquet([1], { column: 'c', more: ', {a: label} AS b' }),
    })
    await expect(list(objects, { map: { label: 'b' } })).rejects.toThrow(
      /a label is an object: .*a.*:1/,
    )
    const table = { 'x/0.jpg': photo, 'metadata.csv': 'image_file_name,label\nx/0.jpg,ant\n' }
    const other = addRepository(table)
    await expect(list(other)).rejects.toThrow(/column image_file_name: --map image=image_file_name/)
    const spec = { labels: 'original' as const, map: { image: 'image_file_name' } }
    expect(await labelsOf(other, spec)).toEqual(['ant'])
  })
})

describe('files of one name in several folders', () => {
  it('have ids with these folders, and others keep theirs', async () => {
    const name = addRepository({
      'test/a/0.tar': shard(['ant', 'bee']),
      'test/b/0.tar': shard(['bee']),
      'test/1.tar': shard(['ant']),
    })
    expect((await list(name)).samples.map(({ id }) => id).sort()).toEqual([
      ...['1/s0', 'a/0/s0', 'a/0/s1', 'b/0/s0'],
    ])
    const names = ['ant', 'bee']
    const tables = addRepository({
      'test/x/0.parquet': await parquet([0, 1], { names }),
      'test/y/0.parquet': await parquet([1], { names }),
    })
    expect((await list(tables)).samples.map(({ id }) => id)).toEqual([
      ...['x/0.parquet#0', 'x/0.parquet#1', 'y/0.parquet#0'],
    ])
  })
})

describe('damaged Parquet files', () => {
  const test = 'data/test-00000-of-00001.parquet'
  const names = ['ant', 'bee']
  const refusal = (name: string, spec: Partial<DatasetSpec>): Promise<string> =>
    list(name, spec).then(
      () => 'no error',
      (error: unknown) => (error as Error).message,
    )
  const keptHome = (name: string) => {
    const home = join(root, `home-${homes++}`)
    const env = { HF_HOME: home, GEOGAP_CACHE: join(home, 'geogap'), HF_ENDPOINT: hub.endpoint }
    const folder = `datasets--${name.slice(3).replace('/', '--')}`
    const blob = (): string => {
      const folderOfBlobs = join(home, 'hub', folder, 'blobs')
      return join(folderOfBlobs, readdirSync(folderOfBlobs)[0]!)
    }
    return { spec: { hub: { env } }, blob }
  }

  it.each([
    ['cut off', (file: Buffer) => file.subarray(0, -40), 'it is cut off, or no Parquet file'],
    ['a web page', () => Buffer.from('<!doctype html>'), 'it is cut off, or no Parquet file'],
    [
      'encrypted',
      (file: Buffer) => Buffer.concat([file.subarray(0, -4), Buffer.from('PARE')]),
      'it is encrypted',
    ],
    [
      'with a broken footer',
      (file: Buffer) => file.fill(0xff, file.length - 60, file.length - 12),
      'its content cannot be unpacked',
    ],
  ])('that are %s on the hub are named, without SQL', async (_, damage, words) => {
    const name = addRepository({ [test]: damage(await parquet([1], { names })) })
    const message = await refusal(name, {})
    expect(message).toMatch(/^damaged Parquet file: .*test-00000-of-00001\.parquet: /)
    expect(message).toContain(words)
    expect(message).not.toMatch(/SELECT|read_parquet/)
  })

  it('are fetched again where they are shorter than on the hub, else where they are deleted', async () => {
    const name = addRepository({ [test]: await parquet([1, 0], { names }) })
    const { spec, blob } = keptHome(name)
    expect(await labelsOf(name, spec)).toEqual(['bee', 'ant'])
    const whole = readFileSync(blob())
    writeFileSync(blob(), whole.subarray(0, 100))
    expect(await labelsOf(name, spec)).toEqual(['bee', 'ant'])
    expect(readFileSync(blob())).toEqual(whole)
    writeFileSync(blob(), Buffer.alloc(whole.length))
    expect(await refusal(name, spec)).toContain(`; delete ${blob()} and fetch it again`)
    rmSync(blob())
    expect(await labelsOf(name, spec)).toEqual(['bee', 'ant'])
  })
})

describe('shards', () => {
  it('keep names with semicolons whole, and refuse several classes of one image', async () => {
    const names = ['salt; pepper', 'salt; sugar', 'a|b']
    expect(await labelsOf(addRepository({ 'test/0.tar': shard(names) }))).toEqual(names)
    const json = names.map(label => JSON.stringify({ label }))
    expect(await labelsOf(addRepository({ 'test/0.tar': shard(json, 'json') }))).toEqual(names)
    const several = addRepository({ 'test/0.tar': shard(['{"label":["ant","bee"]}'], 'json') })
    await expect(list(several)).rejects.toThrow(/s0 has several classes in label: ant, bee/)
  })

  it.each([
    ['ant\n\nbee\n', /no name in line 2/],
    ['\nant\nbee\n', /no name in line 1/],
    [Buffer.from('caf\xe9\nbee\n', 'latin1'), /is not UTF-8/],
    [Buffer.from('ant\nbee\n', 'utf16le'), /is not UTF-8/],
  ])('refuse class names %j, whose places are not known', async (classes, message) => {
    const name = addRepository({ 'classnames.txt': classes, 'test/0.tar': shard(['0', '1']) })
    await expect(list(name)).rejects.toThrow(message)
  })

  it.each(['\ufeffant\r\nbee\r\n', 'ant\rbee\r', 'ant\nbee\n\n\n'])(
    'read class names %j',
    async classes => {
      const name = addRepository({ 'classnames.txt': classes, 'test/0.tar': shard(['1', '0']) })
      expect(await labelsOf(name)).toEqual(['bee', 'ant'])
    },
  )

  it('that are cut off in the padding of a member are refused', async () => {
    const cut = shard(['ant']).subarray(0, 512 + Math.ceil(photo.length / 512) * 512 + 512 + 100)
    await expect(list(addRepository({ 'test/0.tar': cut }))).rejects.toThrow(/cut off after member/)
  })
})

describe('the hub', () => {
  it('is listed whole behind a mirror that names the hub itself as the next page', async () => {
    const files = Object.fromEntries([0, 1, 2, 3, 4].map(i => [`test/${i}.tar`, shard(['ant'])]))
    const name = addRepository(files, { linkOrigin: 'https://huggingface.co' })
    expect(await labelsOf(name)).toHaveLength(5)
  })

  it('is asked again for an address that has expired', async () => {
    let failures = 0
    hub.faults = () => (failures++ < 2 ? { status: 403 } : undefined)
    expect(await labelsOf(addRepository({ 'test/0.tar': shard(['ant']) }))).toEqual(['ant'])
  })
})
