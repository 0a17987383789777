import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { builtPath } from '../../scripts/built.ts'
import {
  finetune,
  type FinetuneOptions,
  type FinetunePlan,
} from '../../src/experiments/finetune.ts'
import { networkGraph, networkOf } from '../../src/experiments/network.ts'
import { readParameters } from '../../src/lib/tensors/bindWeights.ts'
import { readSafetensors } from '../../src/lib/tensors/safetensors.ts'
import { paperSteps } from '../../src/lib/pixels/steps.ts'
import { crops, fittedOptions, images, network, optionsIn, parameters } from './patches.ts'

const root = await mkdtemp(join(tmpdir(), 'geogap-finetune-'))
afterAll(() => rm(root, { recursive: true }))

const child = builtPath('test/experiments/finetune.child.ts')
const optionsFor = (name: string): FinetuneOptions => optionsIn(join(root, name))

describe('fine-tuning', () => {
  it('learns, plans beforehand, keeps one checkpoint and leaves fixed parameters', async () => {
    const plans: FinetunePlan[] = []
    const epochs: number[] = []
    const { file, losses, steps } = await finetune({
      ...optionsFor('learns'),
      epochs: 12,
      onPlan: plan => plans.push(plan),
      onEpoch: epoch => epochs.push(epoch),
    })
    expect(losses).toHaveLength(12)
    expect(losses.at(-1)).toBeLessThan(0.5 * losses[0]!)
    expect(steps).toBe(48)
    expect(epochs).toEqual(losses.map((_, i) => i + 1))
    expect(plans).toMatchObject([{ images, epochs: 12, done: 0, steps: 4, microBatch: 4 }])
    expect(plans[0]!.seconds).toBeGreaterThan(0)
    expect((await readdir(join(root, 'learns'))).sort()).toEqual([
      'checkpoint.json',
      'epoch-12.safetensors',
      'epoch-12.state.safetensors',
    ])
    const trained = await readParameters(networkGraph(network), [await readSafetensors(file)])
    expect(trained.find(({ name }) => name === 'gain')!.data).toEqual(new Float32Array(6).fill(1))
  })

  it.each([1, 6])(
    'that is killed goes on to the same bits, killed at call %i of an epoch',
    async call => {
      const whole = await finetune(optionsFor(`whole-${call}`))
      const options = optionsFor(`killed-${call}`)
      let calls = 0
      const dying = (positions: readonly number[]): Promise<Uint8Array> => {
        if (++calls > 16 + call) throw new Error('killed')
        return crops(positions)
      }
      await expect(finetune({ ...options, crops: dying })).rejects.toThrow('killed')
      const plans: FinetunePlan[] = []
      const resumed = await finetune({ ...options, onPlan: plan => plans.push(plan) })
      expect(plans[0]!.done).toBeGreaterThan(0)
      expect(resumed.losses).toEqual(whole.losses)
      expect(resumed.steps).toBe(whole.steps)
      expect(await readFile(resumed.file)).toEqual(await readFile(whole.file))
    },
  )

  it('whose process is killed goes on to the same bits', async () => {
    const whole = await finetune({ ...optionsFor('unkilled'), epochs: 60 })
    const args = [child, join(root, 'shot'), '60']
    const epochs: number[] = []
    for (const deadly of [5, Infinity]) {
      const run = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
      run.stdout.on('data', (text: Buffer) => {
        epochs.push(...text.toString().trim().split('\n').map(Number))
        if (epochs.length >= deadly) run.kill('SIGKILL')
      })
      await new Promise(done => run.once('close', done))
    }
    expect(epochs.at(-1)).toBe(60)
    expect(await readFile(join(root, 'shot', 'epoch-60.safetensors'))).toEqual(
      await readFile(whole.file),
    )
  })

  it('that is complete does nothing when called again, and goes on when asked for more', async () => {
    const options = optionsFor('again')
    const first = await finetune(options)
    const again = await finetune({
      ...options,
      crops: () => Promise.reject(new Error('not needed')),
    })
    expect(again).toEqual(first)
    const more = await finetune({ ...options, epochs: 5 })
    expect(more.losses.slice(0, 4)).toEqual(first.losses)
    await expect(finetune({ ...options, epochs: 3 })).rejects.toThrow('has 5 epochs, not 3')
  })

  it('refuses the folder of another run', async () => {
    const options = optionsFor('other')
    await finetune({ ...options, epochs: 1 })
    await expect(finetune({ ...options, batch: 5 })).rejects.toThrow('has batch 6, not 5')
    await expect(finetune({ ...options, data: 'other' })).rejects.toThrow(
      'has data made up, not other',
    )
    await writeFile(join(options.folder, 'checkpoint.json'), '{"epoch": 1')
    await expect(finetune(options)).rejects.toThrow('it is not a checkpoint')
  })

  it('keeps the last good checkpoint when training diverges', async () => {
    const options = optionsFor('diverges')
    await finetune({ ...options, epochs: 1 })
    const before = await readFile(join(options.folder, 'epoch-1.safetensors'))
    const state = join(options.folder, 'epoch-1.state.safetensors')
    const bytes = await readFile(state)
    bytes.fill(0xff, bytes.length - 40)
    await writeFile(state, bytes)
    await expect(finetune(options)).rejects.toThrow(
      /(loss is NaN|not finite).*; the last good checkpoint stays in/,
    )
    expect(await readFile(join(options.folder, 'epoch-1.safetensors'))).toEqual(before)
    expect(await readdir(options.folder)).not.toContain('epoch-2.safetensors')
  })

  it('refuses bad training data', async () => {
    const run = (change: Partial<FinetuneOptions>) => finetune({ ...optionsFor('bad'), ...change })
    await expect(run({ labels: [] })).rejects.toThrow('no images to train on')
    await expect(run({ labels: [0, 3] })).rejects.toThrow('label 3 is not a class of 0 … 2')
    await expect(run({ batch: 0 })).rejects.toThrow('batch 0 is not a positive whole number')
    await expect(run({ crops: () => Promise.resolve(new Uint8Array(5)) })).rejects.toThrow(
      '5 bytes for 4 crops of 3×8×8',
    )
    await expect(run({ parameters: parameters.slice(1) })).rejects.toThrow(
      'no starting values for parameter',
    )
  })

  it('takes classifiers of the catalogue and fits the micro-batch to the memory', async () => {
    const catalogued = networkOf({ architecture: 'vit_tiny_patch16_224', classes: 10 }, paperSteps)
    expect(catalogued.size).toBe(224)
    expect(networkGraph(catalogued).outputs.get('logits')!.shape).toEqual(['n', 10])
    expect(() => networkOf({ architecture: 'clip:ViT-B-32', classes: 10 }, paperSteps)).toThrow(
      'no classification head',
    )
    let fitted = 0
    await finetune({
      ...fittedOptions(join(root, 'fits')),
      epochs: 1,
      onPlan: plan => (fitted = plan.microBatch),
    })
    expect(fitted).toBe(4)
  })
})
