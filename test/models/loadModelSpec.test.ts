import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { imagenetClasses } from '../../src/datasets/labels/imagenet.ts'
import { loadModelSpec, loadModelWithWeights } from '../../src/models/loadModelSpec.ts'
import { writeSafetensors } from '../../src/lib/tensors/safetensors.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-spec-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

it.each([
  ['in their order', (names: string[]) => names, undefined],
  ['without names', (names: string[]) => names.map((_, i) => `LABEL_${i}`), undefined],
  ['of another number', (names: string[]) => names.slice(0, 10).reverse(), undefined],
  [
    'in another order',
    (names: string[]) => names.toReversed(),
    /are not those of ImageNet in their order \(0 is "toilet/,
  ],
])("weights beside which config.json has ImageNet's classes %s", async (_, change, fault) => {
  const labels = change(imagenetClasses.map(({ name }) => name))
  const config = { model_type: 'vit', id2label: Object.assign({}, labels) }
  await writeFile(join(folder, 'config.json'), JSON.stringify(config))
  const file = join(folder, 'model.safetensors')
  for (const load of [
    () => loadModelWithWeights('vit_base_patch16_224', file),
    () => loadModelSpec(`vit_base_patch16_224@${file}`),
  ])
    await (fault
      ? expect(load()).rejects.toThrow(fault)
      : expect(load()).resolves.toMatchObject({ classes: 'imagenet-1k' }))
})

it("OpenAI's own file names the model as trained where the name asks for the plain GELU", async () => {
  const file = join(folder, 'ViT-B-32.safetensors')
  const tensor = (name: string) => ({ name, shape: [], data: new Float32Array([224]) })
  await writeSafetensors(file, ['input_resolution', 'vocab_size'].map(tensor))
  const doubt = /QuickGELU, .*; clip:ViT-B-32-quickgelu is as trained$/
  expect((await loadModelWithWeights('clip:ViT-B-32', file)).note).toMatch(doubt)
  expect((await loadModelSpec(`clip:ViT-B-32@${file}`)).note).toMatch(doubt)
  expect((await loadModelWithWeights('clip:ViT-B-32-quickgelu', file)).note).toBeUndefined()
})
