import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Dataset } from '../../../src/datasets/dataset.ts'
import { openDataset } from '../../../src/datasets/open.ts'
import { readTable } from '../../../src/datasets/readTable.ts'
import { readAccuracies } from '../../../src/evaluate/import/accuracies.ts'
import { pytorchScript } from '../../../src/cli/print/pytorchScript.ts'
import { writeTableFile } from '../../../src/lib/table/writeTables.ts'
import { manifestTable } from '../../../src/evaluate/import/manifest.ts'
import { type PredictionImportOptions } from '../../../src/evaluate/import/predictions.ts'
import { testbed } from '../../../src/models/testbed.ts'
import {
  readImportedAccuracies,
  recordImportedAccuracies,
} from '../../../src/results/importedAccuracies.ts'
import { paperComparison } from '../../../src/analysis/paper/index.ts'
import { readCalibration } from '../../../src/results/groupSums.ts'
import { openRun } from '../../../src/results/run.ts'
import { parquetRows, query } from '../../../src/lib/sql.ts'
import { shardPaths } from '../../../src/results/storedEvaluations.ts'
import { geogap } from '../../helpers/cli.ts'
import { importTable } from '../../helpers/imports.ts'
import { shared, sharedPath } from '../../helpers/shared.ts'
import { classes, writeWorld } from '../../helpers/world.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-import-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function read(name: string, text: string) {
  const file = join(folder, name)
  await writeFile(file, text)
  return readAccuracies(file, await readTable(file))
}

describe('accuracies from other tables', () => {
  it("timm's file says its benchmark by its name; percent become shares", async () => {
    const found = await read(
      'results-sketch.csv',
      'model,img_size,top1,top5\na.b,224,41.5,60\na.b,288,43,61\na.b,224,41.5,60\n',
    )
    expect(found).toMatchObject({ format: 'timm', repeated: ['a.b on imagenet-sketch'] })
    expect(found!.rows.map(({ imageSize }) => imageSize)).toEqual([224, 288])
    expect(found!.rows[0]).toEqual({
      model: 'a.b',
      benchmark: 'imagenet-sketch',
      accuracy: 0.415,
      n: null,
      kind: '1K',
      imageSize: 224,
      source: 'results-sketch.csv',
    })
    await expect(read('results-other.csv', 'model,img_size,top1\na,224,1\n')).rejects.toThrow(
      /unknown timm file: results-other\.csv; nearest: /,
    )
  })

  it('names differ by more than spaces, benchmarks by more than case, and a blank is no accuracy', async () => {
    const table = (rows: string) => read('s.csv', `model,benchmark,accuracy\n${rows}\n`)
    const { repeated } = (await table(' a ,ImageNet-1K,1\na,imagenet-1k ,0'))!
    expect(repeated).toEqual(['a on imagenet-1k'])
    await expect(table('a,b, ')).rejects.toThrow('accuracy is empty, not in 0')
  })

  it('a model at two image sizes has one on all benchmarks, also where the files order them differently', async () => {
    const out = join(folder, 'sizes')
    const files = {
      'results-imagenet.csv': ['a,224,80', 'a,288,79', 'b,320,82', 'b,256,81'],
      'results-sketch.csv': ['a,288,44', 'a,224,40', 'b,256,45'],
      'results-imagenet-r.csv': ['b,320,50', 'a,288,51', 'a,224,48'],
    }
    for (const [name, lines] of Object.entries(files)) {
      const found = await read(name, ['model,img_size,top1', ...lines, ''].join('\n'))
      const { format, rows } = found!
      const created = 'today'
      await recordImportedAccuracies(out, name, { schema: 1, format, source: name, created, rows })
    }
    const sizes = (await readImportedAccuracies(out)).map(
      ({ model, benchmark, imageSize, accuracy }) => [model, benchmark, imageSize, accuracy],
    )
    expect(sizes.sort()).toEqual([
      ['a', 'imagenet-1k', 224, 0.8],
      ['a', 'imagenet-r', 224, 0.48],
      ['a', 'imagenet-sketch', 224, 0.4],
      ['b', 'imagenet-1k', 256, 0.81],
      ['b', 'imagenet-sketch', 256, 0.45],
    ])
    const file = join(folder, 'results-imagenet.csv')
    const { stdout } = await geogap(['import', file, '--out', join(folder, 'said')])
    expect(stdout).toContain('4 accuracies (timm); 2 of them at another image size')
  })

  it("OpenCLIP's table: names of the catalogue, and DataComp's subsets as benchmarks of their own", async () => {
    const head = 'name,pretrained,ImageNet 1k,ObjectNet,Dollar Street,GeoDE'
    const found = await read('openclip_results.csv', `${head}\nViT-B-32,openai,0.633,,0.55,0.84\n`)
    expect(found!.rows.map(({ model, benchmark }) => [model, benchmark])).toEqual([
      ['clip:ViT-B-32-quickgelu/openai', 'imagenet-1k'],
      ['clip:ViT-B-32-quickgelu/openai', 'dollarstreet-datacomp'],
      ['clip:ViT-B-32-quickgelu/openai', 'geode-datacomp'],
    ])
  })

  it.each([
    ['81.3', '', /accuracy is 81\.3, not in 0 … 1: .*row 1/],
    ['NaN', '', /accuracy is NaN, not in 0 … 1/],
    ['', '', /accuracy is empty/],
    ['0.5', '2.5', /n is 2\.5, not a whole number/],
  ])('a generic file with accuracy %j and n %j is refused', async (accuracy, n, message) => {
    await expect(
      read('own.csv', `model,benchmark,accuracy,n\nm,geode,${accuracy},${n}\n`),
    ).rejects.toThrow(message)
  })

  it.skipIf(!shared)(
    "timm's published files alone give table 2 of the paper, marked as imported",
    async () => {
      const out = join(folder, 'timm')
      const names = [
        'imagenet',
        'imagenetv2-matched-frequency',
        'sketch',
        'imagenet-r',
        'imagenet-a',
      ]
      const models = new Set(testbed().map(({ model }) => model))
      for (const name of names) {
        const file = sharedPath(`data/published/timm-results-${name}.csv`)
        const { format, rows } = readAccuracies(file, await readTable(file))!
        const source = `timm-results-${name}.csv`
        const ours = rows.filter(({ model }) => models.has(model))
        await recordImportedAccuracies(out, source, {
          schema: 1,
          format,
          source,
          created: 'today',
          rows: ours,
        })
      }
      expect((await readImportedAccuracies(out)).length).toBeGreaterThan(300)
      const { values, columns } = await paperComparison(await openRun(out), '2', {
        seed: 1,
        draws: 100,
      })
      const at = (name: string): number => columns.findIndex(column => column.name === name)
      const rate = (row: string) =>
        values.find(
          one =>
            one[at('set')] === '1K' &&
            one[at('row')] === row &&
            one[at('quantity')] === 'progress rate',
        )!
      // Sketch's rate depends on the image size of models that have two: see the published accuracies.
      for (const [benchmark, paper, bound] of [
        ['imagenet-v2', 1.18, 0.02],
        ['imagenet-sketch', 1.37, 0.03],
        ['imagenet-r', 1.5, 0.02],
      ] as const) {
        expect(rate(benchmark)[at('from')]).toBe('imported')
        expect(rate(benchmark)[at('paper')]).toBe(paper)
        expect(Math.abs(rate(benchmark)[at('difference')] as number)).toBeLessThan(bound)
      }
    },
  )
})

describe('per-image predictions', () => {
  let dataset: Awaited<ReturnType<typeof openDataset>>
  const load = (
    name: string,
    lines: readonly string[],
    more: Partial<PredictionImportOptions> = {},
  ): ReturnType<typeof importTable> => importTable(dataset, join(folder, name), { lines, ...more })

  beforeAll(async () => {
    const manifest = await writeWorld(folder, 12)
    dataset = await openDataset({ name: manifest, classes: join(folder, 'classes.txt') })
  })

  /** The right class first but for the first three images. */
  const right = () =>
    dataset.samples.map(({ id, labels: [label] }, i) => {
      const first = i < 3 ? (label! + 1) % 3 : label!
      return `${id},${[first, (first + 1) % 3, (first + 2) % 3].join(';')}`
    })

  it('become rows like our own, marked as imported', async () => {
    expect(await load('top.csv', ['id,top5', ...right()])).toMatchObject({
      images: 12,
      covered: 12,
      unknown: [],
    })
    const run = await openRun(join(folder, 'results'))
    expect(run.accuracy()[0]).toMatchObject({
      model: 'theirs',
      n: 12,
      top1: 0.75,
      top5: 1,
      errors: 0,
    })
    expect(run.entries[0]!.identity).toMatchObject({ source: 'imported', runtime: 'imported' })
    expect(run.accuracy({ by: 'region' }).reduce((sum, { n }) => sum + n, 0)).toBe(12)
  })

  it.each(['1e9;0;0', '-0.1;0;0', '0.5;NaN;0', '0.5;much;0'])(
    'probabilities %j are refused',
    async probabilities => {
      const rows = right().map(row => `${row},${probabilities}`)
      await expect(load('bad.csv', ['id,top5,probabilities', ...rows])).rejects.toThrow(
        /^probability \S+ is not in 0 … 1: picture-0 in bad\.csv$/,
      )
    },
  )

  it('the probability of the right class is given, follows from the listed classes, or is not known', async () => {
    const header = 'id,top5,probabilities,target_probability'
    const lines = right().map((row, i) => `${row},0.6;0.3;0.1,${i === 0 ? 0.1 : ''}`)
    await load('target.csv', [header, ...lines], { model: 'told' })
    const { entries } = await openRun(join(folder, 'results'))
    const told = entries.find(({ identity }) => identity.model === 'told')!
    const rows = await query<{ rank: number; p: number }>(
      `SELECT rank, target_probability::DOUBLE AS p FROM ${parquetRows()}`,
      [shardPaths(told)],
    )
    for (const { rank, p } of rows) expect(p).toBeCloseTo([0.6, 0.3, 0.1][rank - 1]!, 6)
    const wrong = lines.with(0, lines[0]!.replace(/0\.1$/, '0.9'))
    await expect(load('target.csv', [header, ...wrong])).rejects.toThrow(
      /^target_probability 0\.9 is not in 0\.100 … 0\.100, .*: picture-0 in target\.csv$/,
    )
    const beyond = lines.with(0, lines[0]!.replace(/0\.1$/, '1.2'))
    await expect(load('target.csv', [header, ...beyond])).rejects.toThrow(
      /^target_probability 1\.2 is not in 0 … 1/,
    )
  })

  it('probabilities that a file lacks are not known: no calibration, no probability of the right class', async () => {
    await load('bare.csv', ['id,top5', ...right()], { model: 'bare' })
    const { entries } = await openRun(join(folder, 'results'))
    const bare = entries.find(({ identity }) => identity.model === 'bare')!
    for (const row of await readCalibration(bare, ['label'], entries)) {
      expect([row.confidence, row.error]).toEqual([null, null])
      expect(row.reason).toContain('not known for')
    }
    const rows = await query<{ p: number | null; n: number }>(
      `SELECT target_probability AS p, len(probabilities)::DOUBLE AS n FROM ${parquetRows()}`,
      [shardPaths(bare)],
    )
    for (const row of rows) expect(row).toEqual({ p: null, n: 0 })
  })

  it('logits from Parquet give classes, ranks and probabilities', async () => {
    const file = join(folder, 'logits.parquet')
    const label =
      'CASE label WHEN 0 THEN [2.0, 1.0, 0.0] WHEN 1 THEN [0.0, 2.0, 1.0] ELSE [2.0, 1.0, 0.0] END'
    const rows = dataset.samples.map(({ id, labels }) => `('${id}', ${labels[0]!})`).join(', ')
    await query(
      `COPY (SELECT id, (${label})::FLOAT[] AS logits FROM (VALUES ${rows}) AS t(id, label)) TO '${file}' (FORMAT parquet)`,
    )
    await importTable(dataset, file, { model: 'logits' })
    const run = await openRun(join(folder, 'results'))
    expect(run.accuracy({ model: 'logits' })[0]).toMatchObject({ n: 12, top1: 8 / 12, top5: 1 })
  })

  it('missing images are refused, or stored as failed when asked', async () => {
    const lines = ['id,top5', ...right().slice(0, 10)]
    await expect(load('some.csv', lines)).rejects.toThrow(
      /10 of 12 images covered, 2 missing \(picture-10, picture-11\), 0 unknown; --partial/,
    )
    const report = await load('some.csv', lines, { partial: true, model: 'partial' })
    expect(report.missing).toEqual(['picture-10', 'picture-11'])
    const [row] = (await openRun(join(folder, 'results'))).accuracy({ model: 'partial' })
    expect(row).toMatchObject({ n: 10, errors: 2 })
  })

  it.each<[string, (lines: string[]) => string[], RegExp, Partial<Dataset>?]>([
    [
      'an unknown id',
      (lines: string[]) => [...lines, 'elsewhere,0;1;2'],
      /12 of 12 images covered, 0 missing, 1 unknown \(elsewhere\)/,
    ],
    ['an id twice', (lines: string[]) => [...lines, lines[0]!], /duplicate id: picture-0/],
    [
      'a class out of range',
      (lines: string[]) => ['picture-0,7;1;2', ...lines.slice(1)],
      /class index 7 is out of range/,
    ],
    [
      'an unknown class',
      (lines: string[]) => ['picture-0,mauve;1;2', ...lines.slice(1)],
      /unknown class: mauve; the class list has red, green, blue/,
    ],
    [
      'too few classes',
      (lines: string[]) => ['picture-0,1', ...lines.slice(1)],
      /1 classes where top-5 accuracy takes 3/,
    ],
    [
      'a class that does not compete',
      (lines: string[]) => lines,
      /class 2 is none of the 2 that compete: mask the others/,
      { choices: [0, 1] },
    ],
    [
      "a number that is another class's name",
      (lines: string[]) => lines,
      /class 1 is the name of class 2 and the index of green/,
      { classes: ['red', 'green', '1'] },
    ],
    [
      'a class twice',
      (lines: string[]) => ['picture-0,1;1;2', ...lines.slice(1)],
      /a class is given twice/,
    ],
  ])('%s is refused', async (_, spoil, message, change = {}) => {
    const lines = ['id,top5', ...spoil(right())]
    const importing = importTable({ ...dataset, ...change }, join(folder, 'bad.csv'), { lines })
    await expect(importing).rejects.toThrow(message)
  })

  it('a manifest of ids needs images as they are', () => {
    const image = {
      kind: 'range',
      file: 'photos.zip',
      offset: 40,
      length: 9,
      deflated: { size: 12 },
    } as const
    const packed = {
      ...dataset,
      samples: [...dataset.samples, { ...dataset.samples[0]!, id: 'packed', image }],
    }
    expect(() => manifestTable(packed)).toThrow(
      'packed is packed in photos.zip, where other programs cannot read it: unpack it',
    )
  })

  it('a manifest of ids is CSV by its ending, and its ids come back as they were', async () => {
    const ids = ['-4k2.jpg', "'=1", 'Namibia,1', '0012']
    const samples = dataset.samples.slice(0, 4).map((sample, i) => ({ ...sample, id: ids[i]! }))
    const file = join(folder, 'ids.csv')
    await writeTableFile(manifestTable({ ...dataset, samples }), file)
    const lines = readFileSync(file, 'utf8').trim().split('\n')
    expect(lines[0]).toBe('id,label,labels,file,offset,length,region,country')
    const answers = lines.slice(1).map(line => `${/^("[^"]*"|[^,]*),/.exec(line)![1]!},0;1;2`)
    const report = await importTable({ ...dataset, samples }, file, {
      lines: ['id,top5', ...answers],
    })
    expect(report).toMatchObject({ covered: 4, missing: [], unknown: [] })
  })

  it('a manifest of ids leads to predictions that the command takes', async () => {
    const ids = join(folder, 'ids.parquet')
    await writeTableFile(manifestTable(dataset), ids)
    const rows = await query<Record<string, unknown>>('SELECT * FROM read_parquet($1)', [ids])
    expect(rows[0]).toMatchObject({
      id: 'picture-0',
      label: 'red',
      labels: '0',
      region: 'Europe',
      offset: null,
    })
    expect(readFileSync(rows[0]!['file'] as string).length).toBeGreaterThan(0)
    const script = pytorchScript(dataset)
    for (const name of classes) expect(script).toContain(JSON.stringify(name))
    const file = join(folder, 'generic.csv')
    await writeFile(file, 'model,benchmark,accuracy,n\nm,imagenet-1k,0.5,100\n')
    const taken = await geogap(['import', file, '--out', join(folder, 'results')])
    expect(taken.stdout).toBe(`${file}: 1 accuracies (generic)\n`)
    expect((await geogap(['table', join(folder, 'results')])).stdout).toMatch(
      /Imported accuracies[^]*imagenet-1k/,
    )
  })
})
