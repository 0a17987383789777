import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { evaluate } from '../../src/evaluate/evaluate.ts'
import { openFeaturesIn } from '../../src/experiments/features.ts'
import { partRequests } from '../../src/experiments/parts.ts'
import { splitSamples } from '../../src/experiments/splits.ts'
import { runRetraining, type RetrainingOptions } from '../../src/experiments/retraining.ts'
import { initialWeights } from '../../src/models/initialWeights.ts'
import { writeSafetensors } from '../../src/lib/tensors/safetensors.ts'
import { openRun } from '../../src/results/run.ts'
import { readStudy } from '../../src/results/studies.ts'
import { geogap } from '../helpers/cli.ts'
import { writeForeign } from '../models/onnx/foreignGraph.ts'
import { classes, writeWorld } from '../helpers/world.ts'

let folder: string
let model: string
const count = 90

/** The pictures of `writeWorld` with a household for every three of them. */
async function housed(
  name: string,
  rows: (lines: string[]) => string[] = lines => lines,
): Promise<string> {
  const text = await readFile(join(folder, 'world.csv'), 'utf8')
  const [head, ...lines] = text.trimEnd().split('\n')
  const manifest = join(folder, name)
  const households = lines.map((line, i) => `${line},h${Math.floor(i / 6)}`)
  await writeFile(manifest, `${head},household\n${rows(households).join('\n')}\n`)
  return manifest
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-retraining-'))
  await writeWorld(folder, count)
  await housed('homes.csv')
  await writeForeign(join(folder, 'embedding'), { kind: 'embedding' })
  await writeSafetensors(
    join(folder, 'weights.safetensors'),
    initialWeights('lcnet_050', classes.length, 1),
  )
  const steps = {
    mean: [0.5, 0.5, 0.5],
    std: [0.25, 0.25, 0.25],
    interpolation: 'bilinear',
    cropPct: 0.95,
    size: 224,
  }
  const description = {
    architecture: 'lcnet_050',
    weights: 'weights.safetensors',
    preprocessing: steps,
    classes,
  }
  await writeFile(join(folder, 'model.json'), JSON.stringify({ ...description, name: 'small' }))
  model = join(folder, 'model.json')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Features are computed by the first run and kept for all. */
const options = (): RetrainingOptions => ({
  model,
  train: join(folder, 'homes.csv'),
  evals: [],
  open: { classes: join(folder, 'classes.txt') },
  out: join(folder, 'out'),
  fractions: [0.5, 1],
  seeds: 2,
  epochs: 40,
  rate: 0.03,
  minN: 1,
})
const keptFolder = async (): Promise<string> => {
  const evaluations = join(folder, 'out', 'features', 'predictions')
  const [kept] = await readdir(evaluations)
  return join(evaluations, kept!)
}
const readFeatures = async (kept: string) => (await openFeaturesIn(kept))[0]!.read()

describe('retraining from images', () => {
  it('learns, records the study, and its heads give the same accuracies through the images', async () => {
    const { rows, heads, notes } = await runRetraining(options())
    expect(notes).toEqual([])
    expect(rows.map(({ setting }) => setting)).toEqual([0, 0, 0, 0.5, 0.5, 0.5, 1, 1, 1])
    const accuracies = rows.filter(({ metric }) => metric === 'homes accuracy')
    expect(accuracies.at(-1)!.mean).toBeGreaterThan(accuracies[0]!.mean! + 0.25)
    const stored = await readStudy(options().out, 'last-layer')
    expect(stored).toEqual(
      rows.map(({ setting, metric, values }) => ({ model: 'small', setting, metric, values })),
    )
    expect(heads).toHaveLength(2)
    const run = await evaluate({
      models: heads,
      datasets: [{ name: await testPart(), ...options().open }],
      out: options().out,
    })
    expect(run.failures).toEqual([])
    expect(run.accuracy().map(({ top1 }) => top1)).toEqual(accuracies.at(-1)!.values)
    expect(run.accuracy().map(row => row.model)).toEqual(['small.retrained_1', 'small.retrained_2'])
    const differences = rows
      .filter(({ metric }) => metric === 'homes europe minus africa')
      .at(-1)!.values
    expect(run.disparity({ by: 'region', minN: 1 }).map(row => row.europeMinusAfrica)).toEqual(
      differences,
    )
  })

  /** The test part of the household split as a manifest of its own. */
  async function testPart(): Promise<string> {
    const { samples: items } = await readFeatures(await keptFolder())
    const ids = new Set(splitSamples(items).test.map(({ id }) => id))
    return housed('test-part.csv', lines => lines.filter(line => ids.has(line.split(',')[0]!)))
  }

  it('is the same to the last bit again, from kept features alone too', async () => {
    const first = await runRetraining(options())
    const bytes = await Promise.all(
      first.heads.map(head => readFile(join(head, 'head.safetensors'))),
    )
    const rest = { ...options() }
    delete rest.model
    const alone = { train: 'homes', features: [await keptFolder()], out: join(folder, 'alone') }
    const second = await runRetraining({ ...rest, ...alone })
    const run = await openRun(join(folder, 'out', 'features'))
    expect(run.accuracy()).toMatchObject([{ model: 'small', n: 0 }])
    expect(second.rows).toEqual(first.rows)
    expect(
      await Promise.all(second.heads.map(head => readFile(join(head, 'head.safetensors')))),
    ).toEqual(bytes)
  })

  it("takes what an evaluation kept, with the model's own head where it is named", async () => {
    const evaluated = join(folder, 'evaluated')
    const dataset = { name: join(folder, 'homes.csv'), ...options().open }
    await evaluate({ models: [model], datasets: [dataset], keep: 'features', out: evaluated })
    const again = {
      ...options(),
      train: 'homes',
      features: [evaluated],
      fractions: [1],
      seeds: 1,
      out: evaluated,
    }
    const first = await runRetraining({ ...options(), fractions: [1], seeds: 1 })
    const named = await runRetraining(again)
    expect(named.notes).toEqual([])
    expect(named.rows).toEqual(first.rows)
    const images = { ...options(), fractions: [1], seeds: 1, out: evaluated }
    expect((await runRetraining(images)).rows).toEqual(first.rows)
    expect(await readdir(evaluated)).not.toContain('features')
    const alone = { ...again }
    delete alone.model
    const [name] = await readdir(join(evaluated, 'predictions'))
    const { rows, notes } = await runRetraining({
      ...alone,
      features: [join(evaluated, 'predictions', name!)],
    })
    expect(notes).toEqual([expect.stringMatching(/^no head of small is kept with the features: training starts from zeros/)]) // prettier-ignore
    expect(rows.filter(({ metric }) => metric === 'homes accuracy').at(-1)!.mean).toBeGreaterThan(
      0.6,
    )
    await expect(runRetraining({ ...alone, features: [folder] })).rejects.toThrow(
      `no kept features in ${folder}`,
    )
    const old = join(folder, 'old')
    await mkdir(old, { recursive: true })
    await writeFile(join(old, 'features.json'), '{}')
    await expect(runRetraining({ ...alone, features: [old] })).rejects.toThrow(
      `${old} holds features of an earlier version`,
    )
    await expect(runRetraining({ ...alone, train: 'houses' })).rejects.toThrow('unknown kept data set: houses; nearest: homes') // prettier-ignore
  })

  it('computes the missing parts of kept features only', async () => {
    const seen: number[] = []
    const run = () =>
      runRetraining({ ...options(), epochs: 1, onProgress: ({ total }) => seen.push(total) })
    await run()
    expect(seen).toEqual([])
    const kept = await keptFolder()
    const before = await readFeatures(kept)
    const [part] = (await readdir(kept)).filter(file => file.endsWith('.json'))
    await rm(join(kept, part!))
    await expect(readFeatures(kept)).rejects.toThrow(/images 1 to \d+ are missing/)
    await run()
    expect(seen[0]).toBeLessThan(count)
    expect(await readFeatures(kept)).toEqual(before)
  })

  it('takes a graph made elsewhere that gives an embedding, and says that its head starts from zeros', async () => {
    const { rows, notes } = await runRetraining({
      ...options(),
      model: join(folder, 'embedding'),
      out: join(folder, 'foreign'),
    })
    expect(notes).toEqual([
      'embedding has no linear head for these classes: training starts from zeros',
    ])
    expect(rows.filter(({ metric }) => metric === 'homes accuracy').at(-1)!.mean).toBe(1)
  })

  it('refuses what would mislead, and keeps the heads of the run before', async () => {
    const { heads } = await runRetraining({ ...options(), fractions: [1], seeds: 1 })
    const before = await readFile(join(heads[0]!, 'head.safetensors'))
    const diverging = runRetraining({ ...options(), fractions: [1], seeds: 1, rate: 1e38 })
    await expect(diverging).rejects.toThrow(/^the loss is/)
    expect(await readFile(join(heads[0]!, 'head.safetensors'))).toEqual(before)
    const twoClasses = await housed('two.csv', lines =>
      lines.filter(line => !line.includes(',blue,')),
    )
    await expect(runRetraining({ ...options(), evals: [twoClasses] })).rejects.toThrow(
      'that the evaluation lacks: blue',
    )
    await expect(runRetraining({ ...options(), model: heads[0]! })).rejects.toThrow(
      'small.retrained_1 is a retrained head',
    )
    const other = { ...options().open, labels: 'imagenet' as const }
    await expect(
      runRetraining({ ...options(), train: 'dollarstreet:train', open: other }),
    ).rejects.toThrow()
  })

  it('refuses a head on other weights', async () => {
    const { heads } = await runRetraining({ ...options(), fractions: [1], seeds: 1, epochs: 1 })
    const file = join(heads[0]!, 'model.json')
    const described = JSON.parse(await readFile(file, 'utf8')) as object
    await writeFile(file, JSON.stringify({ ...described, weights: ['0'.repeat(64)] }))
    const evaluated = {
      models: [heads[0]!],
      datasets: [{ name: join(folder, 'homes.csv'), ...options().open }],
    }
    const message = 'small.retrained_1 was trained on features of other weights'
    await expect(evaluate({ ...evaluated, out: options().out })).rejects.toThrow(message)
  })
})

describe('geogap retrain', () => {
  it('prints the figures and where the heads are', async () => {
    const [manifest, out] = [join(folder, 'homes.csv'), join(folder, 'out')]
    const args = [
      '--model',
      model,
      '--train',
      manifest,
      '--classes',
      join(folder, 'classes.txt'),
      '--out',
      out,
    ]
    const more = [
      '--fractions',
      '100',
      '--seeds',
      '1',
      '--epochs',
      '2',
      '--rate',
      '0.01',
      '--split',
      'household-balanced',
    ]
    const { code, stdout, stderr } = await geogap(['retrain', ...args, ...more, '--min-n', '1'])
    expect([code, stderr.includes('head: ')]).toEqual([0, true])
    expect(stdout).toMatch(/100 % +homes accuracy +[\d.]+ +– +1/)
    const refused = await geogap(['retrain', '--train', manifest])
    expect([refused.code, refused.stderr]).toEqual([
      2,
      'geogap: give --model NAME, --features FOLDER, or both [bad-usage]\n',
    ])
  })
})

describe('names of parts', () => {
  const names = (train: string, evals: string[]) => {
    const { train: first, evals: others } = partRequests({ train, evals, split: 'published' })
    return [first, ...others].map(
      ({ dataset: from, side }) => `${typeof from === 'string' ? from : from.name} ${side}`,
    )
  }

  it("follow Dollar Street's own splits and GeoDE's overlapping classes", () => {
    expect(names('dollarstreet:train', ['dollarstreet:test', 'geode'])).toEqual([
      ...['dollarstreet/published/train all', 'dollarstreet/published all', 'geode/overlap all'],
    ])
    expect(names('dollarstreet', [])).toEqual([
      'dollarstreet/published/train all',
      'dollarstreet/published all',
    ])
  })

  it('split other data sets where a part is asked for', () => {
    expect(names('a.csv', [])).toEqual(['a.csv train', 'a.csv test'])
    expect(names('a.csv:train', ['a.csv', 'geode'])).toEqual([
      'a.csv train',
      'a.csv test',
      'geode all',
    ])
  })
})
