/** Lists of classes, probabilities and logits keep the places of what they lack, and columns of any name are counted. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Dataset } from '../../../src/datasets/dataset.ts'
import { imagenetNames } from '../../../src/datasets/labels/imagenet.ts'
import { openDataset } from '../../../src/datasets/open.ts'
import { type PredictionImportOptions } from '../../../src/evaluate/import/predictions.ts'
import { query } from '../../../src/lib/sql.ts'
import { openRun } from '../../../src/results/run.ts'
import { importTable } from '../../helpers/imports.ts'
import { writeWorld } from '../../helpers/world.ts'

let folder: string
let dataset: Dataset
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-lists-'))
  const manifest = await writeWorld(folder, 12)
  dataset = await openDataset({ name: manifest, classes: join(folder, 'classes.txt') })
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const load = (
  name: string,
  lines: readonly string[],
  more: Partial<PredictionImportOptions> = {},
): Promise<unknown> => importTable(dataset, join(folder, name), { lines, ...more })

/** The right class first, then the two others. */
const right = () =>
  dataset.samples.map(
    ({ id, labels: [label] }) => `${id},${[0, 1, 2].map(k => (label! + k) % 3).join(';')}`,
  )

describe('predictions', () => {
  it.each([
    ['0.2;0.5;0.3', 'probabilities rise from 0.2 to 0.5'],
    ['0.9;0.8;0.7', 'probabilities add to 2.400'],
    ['0.4;0.3;0.2;0.1', '4 probabilities for the 3 classes of top5'],
    ['[nan, 0.5, 0.4]', 'probability NaN is not in 0'],
    [';0.5;0.4', 'probability "" is not in 0'],
  ])('probabilities %j contradict the classes: %s', async (probabilities, message) => {
    const rows = right().map(row => `${row},"${probabilities}"`)
    await expect(load('contradiction.csv', ['id,top5,probabilities', ...rows])).rejects.toThrow(
      message,
    )
  })

  it.each(['-1;0;1;2', '"[nan, 0, 1, 2]"', ';0;1;2', '"[null, 0, 1, 2]"'])(
    'top5 %j begins with no class, and its second class does not move up',
    async top5 => {
      const rows = dataset.samples.map(({ id }) => `${id},${top5}`)
      await expect(load('gap.csv', ['id,top5', ...rows])).rejects.toMatchObject({
        code: 'unknown-class',
      })
    },
  )

  it('name classes as labels do: by wnid, synonym or in other case; a name of two classes is refused', async () => {
    const [first] = dataset.samples
    const labels = [0, 281, 134, 517, 1]
    const own = {
      ...dataset,
      samples: [{ ...first!, labels: [0] }],
      classes: imagenetNames,
      labelSpace: 'imagenet-1k' as const,
    }
    const topOf = async (top5: string): Promise<unknown> => {
      const out = join(folder, 'named', String(top5.length))
      const lines = ['id,top5', `${first!.id},"${top5}"`]
      await importTable(own, join(folder, 'names.csv'), { lines, out })
      return (await query(`SELECT top5 FROM '${out}/predictions/*/*.parquet'`))[0]
    }
    await expect(topOf('n01440764;tabby cat;n02012849;crane2;GOLDFISH')).resolves.toEqual({
      top5: labels,
    })
    await expect(topOf('crane;0;1;2;3')).rejects.toMatchObject({ code: 'ambiguous-class' })
    await expect(topOf('n99999999;0;1;2;3')).rejects.toMatchObject({ code: 'unknown-wnid' })
  })

  it('of several models in one file are refused, unless model is a column of the data set', async () => {
    const rows = right().map((row, i) => `${row},${i < 6 ? 'a' : 'b'}`)
    const lines = ['id,top5,model', ...rows]
    await expect(load('models.csv', lines)).rejects.toMatchObject({ code: 'many-models' })
    const cameras = { ...dataset, columns: [...dataset.columns, 'model'] }
    await importTable(cameras, join(folder, 'models.csv'), { model: 'camera' })
  })

  it.each([
    ['-1', -1, 0],
    ['-1.0', -1, 0],
    ['np.float64(-1.0)', -1, 0],
    ['nan', null, 12],
    ['None', null, 12],
    ['-inf', '-Infinity', 0],
  ])('a logit %s keeps its place, in lists of texts and of JSON', async (text, number, failed) => {
    const firsts = dataset.samples.map(({ labels: [label] }) => label!)
    const lists = (item: string) =>
      firsts.map(first =>
        [0, 1, 2].map(index => (index === first ? '3' : index === (first + 1) % 3 ? item : '0.5')),
      )
    const csv = lists(text).map((list, i) => `${dataset.samples[i]!.id},"[${list.join(', ')}]"`)
    const json = lists(String(number)).map(
      (list, i) => `{"id": "${dataset.samples[i]!.id}", "logits": [${list.join(', ')}]}`,
    )
    for (const [ending, lines] of [
      ['csv', ['id,logits', ...csv]],
      ['jsonl', json],
    ] as const) {
      const out = join(folder, 'lists', ending, text)
      await load(`lists.${ending}`, lines, { out })
      const [row] = (await openRun(out)).accuracy()
      expect(row).toMatchObject({ n: 12 - failed, errors: failed, top1: failed ? null : 1 })
    }
  })

  it("are counted by a column of any name, and of that of a row's file", async () => {
    const file = join(folder, 'columns.csv')
    const header = ['image', 'label', 'read from', 'entry', 'g0', 'c0']
    const rows = [0, 1, 2, 3].map(i => [`${i}.jpg`, 'dog', ...header.slice(2).map(() => i % 2)])
    await writeFile(file, [header, ...rows].map(row => row.join(',')).join('\n'))
    const named = await openDataset({ name: file, labels: 'original' })
    const out = join(folder, 'columns')
    const lines = ['id,top5', ...rows.map(([id]) => `${id},0`)]
    await importTable(named, join(folder, 'columns-top.csv'), { lines, out })
    const run = await openRun(out)
    for (const by of ['read from_', 'entry', 'g0', 'c0'])
      expect(run.accuracy({ by }).map(({ n, top1 }) => [n, top1])).toEqual([
        [2, 1],
        [2, 1],
      ])
  })

  it('are counted by a column of nearly as many values as there may be', async () => {
    const file = join(folder, 'places.csv')
    const rows = Array.from({ length: 560 }, (_, i) => `${i}.jpg,dog,p${i % 280},q${i % 301}`)
    await writeFile(file, ['image,label,place,more', ...rows].join('\n'))
    const places = await openDataset({ name: file, labels: 'original' })
    const out = join(folder, 'places')
    const lines = ['id,top5', ...rows.map((_, i) => `${i}.jpg,0`)]
    await importTable(places, join(folder, 'places-top.csv'), { lines, out })
    const run = await openRun(out)
    expect(run.accuracy({ by: 'place' })).toHaveLength(280)
    expect(() => run.accuracy({ by: 'more' })).toThrow('more has more than 300 different values')
  })

  it('a logit that is no number is refused', async () => {
    const rows = dataset.samples.map(({ id }) => `${id},"1,5;2,5;0,5"`)
    await expect(load('commas.csv', ['id,logits', ...rows])).rejects.toThrow(
      'logit "1,5" is no number: picture-0 in commas.csv',
    )
  })
})
