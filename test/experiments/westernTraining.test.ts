import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FinetunePlan } from '../../src/experiments/finetune.ts'
import {
  runWesternTraining,
  type WesternTrainingOptions,
} from '../../src/experiments/westernTraining.ts'
import { initialWeights } from '../../src/models/initialWeights.ts'
import { writeSafetensors } from '../../src/lib/tensors/safetensors.ts'
import { readStudy } from '../../src/results/studies.ts'
import { openRun } from '../../src/results/run.ts'
import { geogap } from '../helpers/cli.ts'
import { classes, writeModel, writeWorld } from '../helpers/world.ts'

let folder: string
let manifest: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-western-'))
  manifest = await writeWorld(folder, 24)
  await writeFile(join(folder, 'images/5.png'), 'no picture')
  await copyFile(manifest, join(folder, 'all.csv'))
  await writeSafetensors(join(folder, 'tiny.safetensors'), initialWeights('test_vit', 5, 1))
  const preprocessing = {
    mean: [0.5, 0.5, 0.5],
    std: [0.5, 0.5, 0.5],
    interpolation: 'bilinear',
    cropPct: 0.9,
    size: 224,
  }
  const description = {
    architecture: 'test_vit',
    weights: 'tiny.safetensors',
    preprocessing,
  }
  const five = ['a', 'b', 'c', 'd', 'e']
  await writeFile(
    join(folder, 'model.json'),
    JSON.stringify({ ...description, classes: five, name: 'tiny' }),
  )
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const options = (): WesternTrainingOptions => ({
  model: join(folder, 'model.json'),
  train: `${manifest}:train`,
  evals: [join(folder, 'all.csv')],
  open: { classes: join(folder, 'classes.txt') },
  shares: [0.5, 1],
  size: 4,
  epochs: 1,
  batch: 4,
  microBatch: 2,
  rate: 1e-4,
  minN: 1,
  out: join(folder, 'out'),
})

describe('fine-tuning under western bias', () => {
  it(
    'says what it will take, evaluates each network, records it, and does nothing twice',
    { timeout: 400_000 },
    async () => {
      const plans: { share: number; plan: FinetunePlan; total: number }[] = []
      const onPlan: WesternTrainingOptions['onPlan'] = ({ share }, plan, total) =>
        plans.push({ share, plan, total })
      const { rows, models, notes, size } = await runWesternTraining({ ...options(), onPlan })
      expect(size).toBe(4)
      expect(notes).toEqual([
        '24 images have no household; each counts as its own',
        '1 images of world:train could not be read and are left out',
        'tiny has other classes than world:train: its head starts from zeros',
      ])
      expect(plans.map(({ share, plan }) => [share, plan.images, plan.microBatch])).toEqual([[0.5, 4, 2], [1, 4, 2]]) // prettier-ignore
      expect(plans[0]!.total).toBeCloseTo(2 * plans[0]!.plan.seconds, 6)
      const differences = rows.filter(({ metric }) => metric === 'europe minus africa')
      expect(differences.map(({ setting }) => setting)).toEqual([0.5, 1])
      expect(await readStudy(options().out, 'western-share')).toHaveLength(rows.length)
      const run = await openRun(options().out)
      expect(run.disparity({ minN: 1 }).map(row => row.europeMinusAfrica)).toEqual(
        differences.map(({ mean }) => mean),
      )
      expect(run.accuracy().map(({ model, n }) => [model, n])).toEqual([['tiny.western_50_seed_1', 23], ['tiny.western_100_seed_1', 23]]) // prettier-ignore
      const before = await readFile(join(models[0]!, 'epoch-1.safetensors'))
      const again = await runWesternTraining({
        ...options(),
        onPlan: () => expect.fail('nothing is left to do'),
      })
      expect(again.rows).toEqual(rows)
      expect(before.equals(await readFile(join(models[0]!, 'epoch-1.safetensors')))).toBe(true)
      expect(await readdir(models[0]!)).toContain('model.json')
    },
  )

  it('refuses shares that the images do not allow, and what it cannot train', async () => {
    const run = (change: Partial<WesternTrainingOptions>) =>
      runWesternTraining({ ...options(), ...change })
    await expect(run({ size: 40 })).rejects.toThrow(
      /a western share of 0.5 of 40 images needs 20 western ones, there are/,
    )
    const text = await readFile(manifest, 'utf8')
    const lacking = join(folder, 'europe.csv')
    await writeFile(lacking, text.split('\n').filter(line => !line.includes('Africa')).join('\n')) // prettier-ignore
    await expect(run({ train: lacking })).rejects.toThrow(
      'no non-western images for a western share of 0.5',
    )
    const { weights, ...small } = await writeModel(join(folder, 'conv'))
    const file = weights.from === 'files' ? 'lcnet-1.safetensors' : ''
    const described = {
      architecture: small.architecture,
      preprocessing: small.recipe,
      classes,
      weights: file,
    }
    await writeFile(join(folder, 'conv', 'model.json'), JSON.stringify(described))
    await expect(run({ model: join(folder, 'conv') })).rejects.toThrow(/^no gradient rule for/)
  })
})

describe('geogap finetune', () => {
  it('prints the figures of runs that are complete', async () => {
    const args = [
      '--model',
      join(folder, 'model.json'),
      '--train',
      `${manifest}:train`,
      '--classes',
      join(folder, 'classes.txt'),
    ]
    const same = [
      '--size',
      '4',
      '--epochs',
      '1',
      '--batch',
      '4',
      '--micro-batch',
      '2',
      '--rate',
      '1e-4',
      '--min-n',
      '1',
    ]
    const { code, stdout, stderr } = await geogap([
      ...[
        'finetune',
        ...args,
        ...same,
        '--eval',
        join(folder, 'all.csv'),
        '--shares',
        '50,100',
        '--out',
        options().out,
      ],
    ])
    expect([code, stderr.includes('note: 4 training images of every share')]).toEqual([0, true])
    expect(stdout).toMatch(/100 % +europe minus africa +-?[\d.]+ +– +1/)
  })
})
