import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  benchmarkNameOf,
  copyNotes,
  datasetRoles,
  datasetTitle,
  oodDatasets,
} from '../../src/analysis/datasetRoles.ts'
import { compareProgress } from '../../src/analysis/progress/progress.ts'
import { readProgressEvidence } from '../../src/analysis/progress/evidence.ts'
import { runStandings } from '../../src/analysis/standingRun.ts'
import { hubCopyOf } from '../../src/datasets/benchmarks/hubCopies.ts'
import { readWnidClasses } from '../../src/datasets/benchmarks/wnidFolders.ts'
import { openRun } from '../../src/results/run.ts'
import { type ResultKey } from '../../src/results/schema.ts'
import { type Outcome, store } from './stored.ts'

let root = ''
let folders = 0
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'geogap-copies-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

const whole = { images: 50_000, labelMap: 'imagenet-1k 1' }
const masked = readWnidClasses('imagenet-r').join(' ')

/** Forty images, of which a share is right; with a region for a geographic data set. */
const outcomes = (right: number, region?: string): Outcome[] =>
  Array.from({ length: 40 }, (_, i) => ({
    id: String(i),
    label: 'mug',
    correct: i < right,
    groups: region === undefined ? {} : { region: i % 2 ? region : 'Europe' },
  }))

type Stored = Partial<ResultKey> & { dataset: string }

/** Stores four models' results on data sets; the shares of right images differ by model and data set. */
async function results(datasets: readonly Stored[]): Promise<string> {
  const dir = join(root, `results-${folders++}`)
  for (const [i, identity] of datasets.entries())
    for (const [j, model] of ['resnet18', 'resnet34', 'resnet50', 'resnet101'].entries())
      await store(dir, outcomes(10 + 5 * j + i), { model, ...identity })
  return dir
}

const rolesOf = async (datasets: readonly Stored[]) =>
  datasetRoles(await openRun(await results(datasets)))

describe('names of copies', () => {
  it.each([
    ['hf:ILSVRC/imagenet-1k', 'imagenet-1k'],
    ['hf:ILSVRC/imagenet-1k:validation', 'imagenet-1k'],
    ['hf:ILSVRC/imagenet-1k@0123abc:default/val', 'imagenet-1k'],
    ['hf:clip-benchmark/wds_imagenetv2:test', 'imagenet-v2/matched-frequency'],
    ['hf:djghosh/wds_imagenet-r_test', 'imagenet-r'],
    ['wds_imagenet_sketch_test', 'imagenet-sketch'],
    ['hf:djghosh/wds_geode_test', 'geode-datacomp'],
  ])('%s is one of %s', (name, benchmark) => {
    expect(hubCopyOf(name)?.benchmark).toBe(benchmark)
  })

  it.each([
    'hf:ILSVRC/imagenet-1k:train',
    'hf:clip-benchmark/wds_imagenet1k:train',
    'hf:clip-benchmark/wds_imagenet1k:other/test',
    'hf:clip-benchmark/wds_imagenet1k (100 of 50000)',
    'hf:clip-benchmark/wds_objectnet',
    'hf:someone/imagenet-1k',
    'hf:a/b:c/d/e',
    'imagenet-1k',
    'wds_imagenet1k/train',
  ])('%s is none', name => {
    expect(hubCopyOf(name)).toBeUndefined()
    expect(() => datasetTitle(name)).not.toThrow()
  })

  it('are shown with the benchmark and their owner', () => {
    expect(datasetTitle('hf:ILSVRC/imagenet-1k:validation')).toBe('ImageNet (ILSVRC)')
    expect(datasetTitle('hf:clip-benchmark/wds_imagenet-a')).toBe('ImageNet-A (clip-benchmark)')
    expect(datasetTitle('wds_imagenet1k')).toBe('ImageNet (wds_imagenet1k)')
    expect(datasetTitle('hf:djghosh/wds_geode_test')).toBe('GeoDE (DataComp)')
    expect(benchmarkNameOf('hf:djghosh/wds_imagenetv2_test')).toBe('imagenet-v2')
  })
})

describe('a copy of a benchmark', () => {
  const sketch = { dataset: 'hf:clip-benchmark/wds_imagenet_sketch', ...whole, images: 50_889 }
  const val = { dataset: 'hf:clip-benchmark/wds_imagenet1k', ...whole }

  it('is the reference, and stands for the benchmark with imported values', async () => {
    const dir = await results([sketch, val, { dataset: 'places', labelMap: 'own 1' }])
    const evidence = await readProgressEvidence(dir)
    expect(evidence.roles.reference).toBe(val.dataset)
    expect(evidence.roles.byBenchmark.get('imagenet-sketch')).toBe(sketch.dataset)
    expect(evidence.notes).toContain(`${val.dataset} is a copy of imagenet-1k and stands for it`)
    expect(compareProgress(evidence).reference.title).toBe('ImageNet (clip-benchmark)')
    const [standing] = await runStandings(dir, {})
    expect(standing!.against.benchmark).toBe('imagenet-1k')
    expect(standing!.notes.join(' ')).toContain('is a copy of imagenet-1k')
  })

  it.each<[string, Partial<ResultKey>]>([
    ['lacks images', { images: 37_200 }],
    ['has classes of its own', { labelMap: 'own 1' }],
    ['has other choices', { choices: '1 2 3' }],
  ])('does not stand for it if it %s', async (_, other) => {
    const { byBenchmark } = await rolesOf([{ ...val, ...other }])
    expect(byBenchmark.size).toBe(0)
  })

  it('of 200 classes stands with these choices alone', async () => {
    const copy = { dataset: 'hf:clip-benchmark/wds_imagenet-r', images: 30_000 }
    const named = { ...copy, labelMap: 'by-name 1' }
    expect((await rolesOf([{ ...named, choices: masked }])).byBenchmark.get('imagenet-r')).toBe(
      copy.dataset,
    )
    expect((await rolesOf([{ ...named, choices: 'all' }])).byBenchmark.size).toBe(0)
  })

  it('is not mixed with the benchmark or another copy', async () => {
    const own = { dataset: 'imagenet-1k', ...whole }
    const other = { dataset: 'hf:ILSVRC/imagenet-1k:validation', ...whole }
    const run = await openRun(await results([val, own, other]))
    const roles = datasetRoles(run)
    expect(roles.reference).toBe('imagenet-1k')
    expect(copyNotes(run, roles)).toEqual([
      expect.stringMatching(
        /hf:ILSVRC\S+ and hf:clip\S+ have images of imagenet-1k too, for which imagenet-1k stands; their accuracies are not mixed|hf:clip\S+ and hf:ILSVRC\S+ have images/,
      ),
    ])
    const [standing] = await runStandings(run.dir, { models: ['resnet50'], against: run.dir })
    expect(standing!.against.models[0]!.values.get('imagenet-1k')).toBeCloseTo(11 / 40, 9)
    const copies = await rolesOf([other, val])
    expect(copies.reference).toBe(other.dataset)
    expect(copies.standard).toEqual([val.dataset])
  })

  it('takes part in the OOD average once', async () => {
    const renditions = {
      dataset: 'hf:djghosh/wds_imagenet-r_test',
      images: 30_000,
      labelMap: 'by-name 1',
      choices: masked,
    }
    const objects = { dataset: 'objectnet', labelMap: 'objectnet-authors 1' }
    const roles = await rolesOf([
      val,
      sketch,
      renditions,
      { ...whole, dataset: 'imagenet-r' },
      objects,
    ])
    expect(oodDatasets(roles)).toEqual([sketch.dataset, 'imagenet-r', 'objectnet'])
  })
})
