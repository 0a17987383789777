import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { writeFormulaWeights } from '../../scripts/formula.ts'
import { openDataset } from '../../src/datasets/open.ts'
import { checkClasses } from '../../src/evaluate/targets.ts'
import { fixedSize } from '../../src/lib/onnx/shapes.ts'
import { nativeSteps } from '../../src/lib/pixels/steps.ts'
import { resolveModel } from '../../src/models/catalog.ts'
import { modelCost } from '../../src/models/modelCost.ts'
import { findModelRow } from '../../src/models/listing.ts'
import { classifierGraph, loadModel } from '../../src/models/runtime/loadModel.ts'
import { writeWorld } from '../helpers/world.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-headless-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const steps = nativeSteps({ ...resolveModel('test_vit').recipe, size: 160 })
const headless = { name: 'own', architecture: 'test_vit', classes: 0 }

it('weights without a head give features alone', async () => {
  const { outputs, parameters } = classifierGraph(headless, steps)
  expect([...outputs.keys()]).toEqual(['features'])
  expect([...parameters.keys()].filter(name => name.startsWith('head'))).toEqual([])

  const file = join(folder, 'body.safetensors')
  const tensors = Array.from(parameters.values(), ({ tensor: { name, shape } }) => ({
    name,
    shape: shape.map(size => fixedSize(size, name)),
    radius: 0.1,
  }))
  await writeFormulaWeights(file, tensors)
  const model = { ...headless, files: [file] }
  const session = await loadModel(model, steps, { outputs: ['features'] })
  const { features } = await session.run(new Uint8Array(3 * 160 * 160).fill(100), 1)
  await session.release()
  expect(features).toHaveLength(64)
  expect(features!.every(Number.isFinite)).toBe(true)
  await expect(loadModel(model, steps, { outputs: ['logits'] })).rejects.toThrow(
    'test_vit has no classification head',
  )
})

it('a feature model of timm has no classes, and its architecture means its classifier where there is one', () => {
  const spec = resolveModel('vit_small_patch14_dinov2')
  expect([spec.name, spec.classes]).toEqual(['vit_small_patch14_dinov2.lvd142m', []])
  expect(modelCost(spec).parameters).toBe(22_056_192)
  expect(findModelRow(spec.name)!.evaluation).toBe('features')
  expect(resolveModel('vit_so400m_patch14_siglip_378').classes).toBe('imagenet-1k')
})

it('is refused where classes are asked for', async () => {
  const name = await writeWorld(folder, 3)
  const dataset = await openDataset({ name, classes: join(folder, 'classes.txt') })
  expect(() => checkClasses(resolveModel('vit_small_patch16_dinov3'), dataset)).toThrow(
    'gives an embedding and no classes',
  )
})
