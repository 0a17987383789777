import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  bestSetting,
  colourSettings,
  geometrySettings,
  judgeSettings,
} from '../../../src/experiments/probe/probe.ts'
import {
  probeModel,
  type ProbeTarget,
  probeSettings,
  openProbeTarget,
} from '../../../src/experiments/probe/probeRun.ts'
import { answersText } from '../../../src/cli/print/answer.ts'
import { probeAnswer, probeSentence } from '../../../src/cli/print/probe.ts'
import {
  describeSteps,
  nativeSteps,
  type PreprocessingConfig,
} from '../../../src/lib/pixels/steps.ts'
import { geogap } from '../../helpers/cli.ts'
import { writeForeign } from '../../models/onnx/foreignGraph.ts'
import { shared, sharedPath } from '../../helpers/shared.ts'
import { long } from '../../helpers/torture.ts'
import { writeWorld } from '../../helpers/world.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-probe-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const half = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } as const
const right: PreprocessingConfig = { ...half, interpolation: 'bicubic', cropPct: 0.875, size: 224 }

describe('settings', () => {
  it('try both orders, each normalization once, and leave out what is declared', () => {
    const steps = colourSettings(right).map(({ recipe }) => describeSteps(nativeSteps(recipe)))
    expect(new Set(steps).size).toBe(steps.length)
    expect(steps).not.toContain(describeSteps(nativeSteps(right)))
    expect(steps.filter(text => text.includes('BGR'))).toHaveLength(6)
    expect(steps).toHaveLength(11)
    expect(steps).toContain(
      'resize(256, bicubic) centerCrop(224) normalize(mean 0.406 0.456 0.485, std 0.225 0.224 0.229, BGR)',
    )
    expect(colourSettings(right, true).map(({ changes }) => changes)).toEqual([['BGR channels']])
  })

  it('turn the declared statistics round with the channels', () => {
    const declared: PreprocessingConfig = { ...right, mean: [0.1, 0.2, 0.3], channels: 'BGR' }
    const [rgb] = colourSettings(declared, true)
    expect(rgb!.changes).toEqual(['RGB channels'])
    expect(rgb!.recipe).toEqual({ ...right, mean: [0.3, 0.2, 0.1] })
  })

  it('try other resizes and crops of the same size', () => {
    const found = geometrySettings({ changes: [], recipe: { ...right, cropPct: 0.9, resize: 240 } })
    expect(
      found.map(({ recipe }) => describeSteps(nativeSteps(recipe)).replace(/ normalize.*/, '')),
    ).toEqual([
      'resize(240, bilinear) centerCrop(224)',
      'resize(224, bicubic) centerCrop(224)',
      'resize(235, bicubic) centerCrop(224)',
      'resize(256, bicubic) centerCrop(224)',
      'resize(224, bicubic, squash) centerCrop(224)',
    ])
  })
})

describe('judgement', () => {
  const scored = (changes: string[], loss: (i: number) => number) => ({
    changes,
    recipe: right,
    right: Array.from({ length: 100 }, (_, i) => loss(i) < 0.7),
    loss: Array.from({ length: 100 }, (_, i) => loss(i)),
  })
  const declared = scored([], () => 1)

  it('needs a gain beyond chance, corrected for the settings tried, and a large one', () => {
    const found = judgeSettings(declared, [
      scored(['sure'], i => (i < 75 ? 0.5 : 1.1)),
      scored(['small'], () => 0.9),
      scored(['chance'], i => (i < 58 ? 0.2 : 1.1)),
    ])
    const by = new Map(found.map(row => [row.changes.join(), row]))
    expect([...by].filter(([, { farBetter }]) => farBetter).map(([name]) => name)).toEqual(['sure'])
    expect(by.get('sure')).toMatchObject({ better: 75, worse: 25, accuracy: 0.75 })
    expect(by.get('sure')!.adjusted).toBeCloseTo(3 * 5.636282e-7, 10)
    expect(by.get('')).toMatchObject({ adjusted: null, accuracy: 0, loss: 1 })
  })

  it('names the fewest changes that come close to the best', () => {
    const found = judgeSettings(declared, [
      scored(['a', 'b'], () => 0.5),
      scored(['a'], () => 0.52),
      scored(['c'], () => 0.7),
    ])
    expect(bestSetting(found)!.changes).toEqual(['a'])
    expect(bestSetting(judgeSettings(declared, [scored(['d'], () => 1)]))).toBeUndefined()
  })
})

describe('geogap models probe', () => {
  it('needs enough images', async () => {
    const manifest = await writeWorld(folder, 9)
    const { code, stderr } = await geogap(['models', 'probe', 'resnet50', '--dataset', manifest])
    expect(code).toBe(2)
    expect(stderr).toMatch(/unknown class: red|at least 20 are needed/)
  })

  it('finds swapped channels', async () => {
    const recipe = { ...half, interpolation: 'bilinear', cropPct: 0.9, size: 32, channels: 'BGR' }
    const model = await writeForeign(join(folder, 'colours'), {}, { preprocessing: recipe })
    const manifest = await writeWorld(folder, 30)
    const { settings } = await probeModel(model, {
      name: manifest,
      classes: join(folder, 'classes.txt'),
    })
    expect(bestSetting(settings)!.changes).toContain('RGB channels')
    expect(bestSetting(settings)!.accuracy).toBe(1)
  })

  it.skipIf(!shared || !long)(
    'finds what is wrong in a real model’s description, and nothing in the right one (in .ci/run)',
    async () => {
      const photos = (await readdir(sharedPath('data/imagenet-samples'))).sort()
      const lines = photos.map(
        file => `${resolve(sharedPath(`data/imagenet-samples/${file}`))},${file.split('_')[0]!}`,
      )
      const manifest = join(folder, 'photos.csv')
      await writeFile(manifest, ['image,label', ...lines, ''].join('\n'))
      const place = join(folder, 'right')
      await mkdir(place)
      await copyFile(
        sharedPath('weights/tf_efficientnet_lite0/model.safetensors'),
        join(place, 'model.safetensors'),
      )
      const described = {
        architecture: 'tf_efficientnet_lite0',
        weights: 'model.safetensors',
        classes: 'imagenet-1k',
      }
      await writeFile(
        join(place, 'model.json'),
        JSON.stringify({ ...described, preprocessing: right }),
      )
      const probing = await openProbeTarget(place, { name: manifest, limit: 100 })
      expect(probing.declared).toMatchObject(right)
      const known = new Map<string, ReturnType<ProbeTarget['score']>>()
      // Four descriptions are tried in much the same ways: each way is shown to the model once.
      const score: ProbeTarget['score'] = recipe => {
        const steps = describeSteps(nativeSteps(recipe))
        known.set(steps, known.get(steps) ?? probing.score(recipe))
        return known.get(steps)!
      }
      const probed = (change: Partial<PreprocessingConfig>) =>
        probeSettings({ ...probing, score, declared: { ...right, ...change } })
      const correct = await probed({})
      expect(probeSentence(correct)).toBe(
        'none of 15 other settings is far better than the declared one',
      )
      expect(correct.settings[0]).toMatchObject({ changes: [], farBetter: false })
      const swapped = await probed({ channels: 'BGR' })
      expect(bestSetting(swapped.settings)!.changes).toEqual(['RGB channels'])
      expect(answersText([probeAnswer(swapped)], 'text')).toContain(
        '"mean":[0.5,0.5,0.5],"std":[0.5,0.5,0.5]}]',
      )
      const missing = await probed({ mean: [0, 0, 0], std: [1, 1, 1] })
      expect(bestSetting(missing.settings)!.changes).toEqual(['mean and std 0.5 (-1 to 1)'])
      const scale = await probed({ mean: [0, 0, 0], std: [1 / 255, 1 / 255, 1 / 255] })
      expect(bestSetting(scale.settings)!.changes).toEqual(['mean and std 0.5 (-1 to 1)'])
    },
    900_000,
  )
})
