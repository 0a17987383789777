import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { graphOf } from '../../../scripts/conformanceCase.ts'
import { readParameters } from '../../../src/lib/tensors/bindWeights.ts'
import { checkConfig } from '../../../src/lib/tensors/configFacts.ts'
import { findArchitecture } from '../../../src/models/architectures.ts'

let folder: string
let file: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-config-'))
  file = join(folder, 'model.safetensors')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const writeConfig = (config: unknown): Promise<void> =>
  writeFile(join(folder, 'config.json'), JSON.stringify(config))

it.each<[string, string, Record<string, unknown>, RegExp | undefined]>([
  ['ResNet', 'resnet50', { downsample_in_bottleneck: false, hidden_act: 'relu' }, undefined],
  [
    'ResNet',
    'resnet50',
    { downsample_in_bottleneck: true },
    /downsample_in_bottleneck "true", and resnet50 computes false: name another/,
  ],
  ['ViT', 'vit_base_patch16_224', { layer_norm_eps: 1e-12, num_attention_heads: 12 }, undefined],
  ['ViT', 'vit_base_patch16_224', { model_type: 'ijepa' }, /computes vit or deit or vit_msn/],
  ['ViT', 'vit_base_patch16_224', { layer_norm_eps: 1e-3 }, /layer_norm_eps "0.001"/],
  ['ViT', 'vit_small_patch16_224', { num_attention_heads: 12 }, /computes 6/],
  ['DINOv2 with registers', 'vit_base_patch14_reg4_dinov2', { hidden_act: 'relu' }, /gelu/],
  ['Swin Transformer V2', 'swinv2_tiny_window8_256', { window_size: 16 }, /computes 8/],
  [
    'Swin Transformer V2',
    'swinv2_base_window12to16_192to256',
    { window_size: 16, pretrained_window_sizes: [12, 12, 12, 6] },
    undefined,
  ],
  [
    'Swin Transformer V2',
    'swinv2_base_window16_256',
    { pretrained_window_sizes: [12, 12, 12, 6] },
    /pretrained_window_sizes "\[12,12,12,6\]"/,
  ],
  ['CLIP', 'clip:ViT-B-32', { vision_config: { hidden_act: 'quick_gelu' } }, /computes gelu/],
  ['CLIP', 'clip:ViT-B-32', { vision_config: {} }, /vision_config.hidden_act "quick_gelu"/],
  ['CLIP', 'clip:ViT-B-32-quickgelu', { vision_config: {} }, undefined],
])(
  "checks the configuration of transformers' %s for %s: %j",
  async (library, architecture, config, fault) => {
    await writeConfig({ model_type: library.toLowerCase(), ...config })
    const checked = checkConfig(file, { library: `transformers' ${library}`, architecture })
    await (fault
      ? expect(checked).rejects.toThrow(fault)
      : expect(checked).resolves.toBeUndefined())
  },
)

it('passes over files that are no configuration of transformers', async () => {
  const model = { library: "transformers' ResNet", architecture: 'resnet50' }
  for (const content of [null, [], { architecture: 'resnet50', downsample_in_bottleneck: true }]) {
    await writeConfig(content)
    await expect(checkConfig(file, model)).resolves.toBeUndefined()
  }
  await rm(join(folder, 'config.json'))
  await expect(checkConfig(file, model)).resolves.toBeUndefined()
})

it('refuses a residual network that transformers downsamples in its bottlenecks', async () => {
  const architecture = findArchitecture('resnet18')
  const graph = graphOf(architecture, 32)
  const before = (number: string): string => String(Number(number) - 1)
  const tensors = [...graph.parameters].map(([name, { tensor }]) => {
    const shape = tensor.shape as number[]
    const given = name
      .replace(
        /^layer(\d)\.(\d)\./,
        (_, n: string, b: string) => `resnet.encoder.stages.${before(n)}.layers.${b}.`,
      )
      .replace(/^conv1\./, 'resnet.embedder.embedder.convolution.')
      .replace(/^bn1\./, 'resnet.embedder.embedder.normalization.')
      .replace(/downsample\.0\./, 'shortcut.convolution.')
      .replace(/downsample\.1\./, 'shortcut.normalization.')
      .replace(/conv(\d)\./, (_, n: string) => `layer.${before(n)}.convolution.`)
      .replace(/bn(\d)\./, (_, n: string) => `layer.${before(n)}.normalization.`)
      .replace(/^fc\./, 'classifier.1.')
    return [
      given,
      { name: given, dtype: 'F32' as const, shape, file, offset: 0, length: 0 },
    ] as const
  })
  const files = [{ file, tensors: new Map(tensors), metadata: {} }]
  const read = () => readParameters(graph, files, { ...architecture.names, only: [] })
  await writeConfig({ model_type: 'resnet', downsample_in_bottleneck: false })
  await expect(read()).resolves.toEqual([])
  await writeConfig({ model_type: 'resnet', downsample_in_bottleneck: true })
  await expect(read()).rejects.toThrow(
    /config.json beside them has downsample_in_bottleneck "true"/,
  )
})
