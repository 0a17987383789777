import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { graphOf } from '../../../scripts/conformanceCase.ts'
import { findArchitecture } from '../../../src/models/architectures.ts'
import { readParameters } from '../../../src/lib/tensors/bindWeights.ts'
import { readSafetensors, writeSafetensors } from '../../../src/lib/tensors/safetensors.ts'
import { type TensorEntry, type TensorFile } from '../../../src/lib/tensors/tensors.ts'
import { volume } from '../../../src/lib/onnx/shapes.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-foreign-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Writes weights of 1 for an architecture, each under the name that `rename` gives it. */
async function renamedWeights(model: string, rename: (name: string) => string) {
  const graph = graphOf(findArchitecture(model), 32)
  const file = join(folder, `${model}.safetensors`)
  await writeSafetensors(
    file,
    [...graph.parameters].map(([name, { tensor }]) => ({
      name: rename(name),
      shape: tensor.shape as number[],
      data: new Float32Array(volume(tensor.shape)).fill(1),
    })),
  )
  return { graph, files: [await readSafetensors(file)] }
}

const replaced = (name: string, rules: readonly (readonly [RegExp, string])[]): string =>
  rules.reduce((text, [pattern, by]) => text.replace(pattern, by), name)

/** Three tensors of queries, keys and values for one of all. */
function cutQkv(name: string, entry: TensorEntry): [string, TensorEntry][] {
  if (!name.includes('.attn.qkv.')) return [[name, entry]]
  const [length, rows] = [entry.length / 3, entry.shape[0]! / 3]
  return ['query', 'key', 'value'].map((part, i) => [
    name.replace('attn.qkv', `attention.attention.${part}`),
    { ...entry, shape: [rows, ...entry.shape.slice(1)], offset: entry.offset + i * length, length },
  ])
}

describe('checkpoints with the names of another library', () => {
  it.each<[string, string, readonly (readonly [RegExp, string])[]]>([
    [
      "torchvision's Vision Transformer",
      'test_vit',
      [
        [/^cls_token$/, 'class_token'],
        [/^pos_embed$/, 'encoder.pos_embedding'],
        [/^patch_embed\.proj\./, 'conv_proj.'],
        [/^norm\./, 'encoder.ln.'],
        [/^head\./, 'heads.head.'],
        [/^blocks\.(\d+)\./, 'encoder.layers.encoder_layer_$1.'],
        [/\.norm([12])\./, '.ln_$1.'],
        [/\.attn\.qkv\./, '.self_attention.in_proj_'],
        [/\.attn\.proj\./, '.self_attention.out_proj.'],
        [/\.mlp\.fc1\./, '.mlp.0.'],
        [/\.mlp\.fc2\./, '.mlp.3.'],
      ],
    ],
    [
      "MMPretrain's ResNet",
      'test_resnet',
      [
        [/^(?!fc\.)/, 'backbone.'],
        [/^fc\./, 'head.fc.'],
      ],
    ],
  ])('%s is renamed', async (_, model, rules) => {
    const { graph, files } = await renamedWeights(model, name => replaced(name, rules))
    const { names } = findArchitecture(model)
    expect(await readParameters(graph, files, names)).toHaveLength(graph.parameters.size)
  })

  it.each([
    ['torchvision', 'features.0.1.'],
    ["torchvision's EfficientNetV2", 'features.1.0.block.0.0.'],
    ["torchvision's GoogLeNet", 'inception3a.branch1.conv.'],
    ["transformers' MobileNet", 'mobilenet_v2.layer.0.'],
    ["transformers' PoolFormer", 'poolformer.encoder.block.0.0.before_norm.'],
    ['transformers', 'cvt.encoder.stages.0.cls.'],
    ["MMPretrain's Swin Transformer", 'backbone.stages.0.blocks.0.attn.w_msa.'],
    ['MMPretrain', 'backbone.stage0.'],
    ['the authors of MobileCLIP-S0', 'text_encoder.transformer.0.token_mixer.'],
  ])(
    'of %s, which no architecture computes, are named with the way to go',
    async (library, prefix) => {
      const { graph, files } = await renamedWeights('test_vit', name => prefix + name)
      await expect(readParameters(graph, files)).rejects.toThrow(
        new RegExp(`the names are those of ${library}, and .*: export the model to ONNX`),
      )
    },
  )

  it.each([
    ['efficientnet_pytorch', '_blocks.0._', 'tf_efficientnet_b\\*'],
    ["torchvision's RegNet", 'trunk_output.block1.', 'regnetx_\\*, regnety_\\*'],
    [
      "torchvision's Swin Transformer",
      'features.1.0.attn.qkv.',
      'swin_tiny_patch4_window7_224, .*',
    ],
    ['the authors of DINOv3', 'storage_tokens', 'vit_.*_qkvb; the others have no biases'],
    ["transformers' SigLIP", 'vision_model.head.probe0.', 'clip:ViT-B-32-SigLIP2-256, .*tanh.*'],
  ])('of %s are named with the architectures that they fit', async (library, prefix, fits) => {
    const { graph, files } = await renamedWeights('test_vit', name => prefix + name)
    await expect(readParameters(graph, files)).rejects.toThrow(
      new RegExp(`the names are those of ${library}, which are renamed for ${fits}$`),
    )
  })

  it.each([
    ['a LoRA adapter', '.lora_A.weight', 'merge it into its base'],
    ['a quantized model', '.SCB', 'take the file before quantization'],
  ])('of %s are named with what to do', async (library, end, advice) => {
    const { graph, files } = await renamedWeights('test_vit', name => name + end)
    await expect(readParameters(graph, files)).rejects.toThrow(
      new RegExp(`the names are those of ${library}, and .*${advice}`),
    )
  })

  it('of a model that averages its patches are told from those of one that does not', async () => {
    const { graph, files } = await renamedWeights('test_vit', name =>
      name.replace(/^norm\./, 'fc_norm.'),
    )
    await expect(readParameters(graph, files)).rejects.toThrow(
      /2 not used \(fc_norm.weight, fc_norm.bias\); the names are those of a model that averages/,
    )
  })

  it.each(['_orig_mod.', '_fsdp_wrapped_module.', '_checkpoint_wrapped_module._orig_mod.'])(
    'with a wrapper inside of the model are found: %s',
    async wrapper => {
      const { graph, files } = await renamedWeights('test_vit', name =>
        name.replace(/^blocks\.(\d+)\./, `blocks.$1.${wrapper}`),
      )
      expect(await readParameters(graph, files)).toHaveLength(graph.parameters.size)
    },
  )

  it('are refused where integers stand for weights', async () => {
    const { graph, files } = await renamedWeights('test_vit', name => name)
    const [{ tensors, ...file }] = files as [TensorFile]
    const ofIntegers = new Map(
      [...tensors].map(([name, entry]) => [name, { ...entry, dtype: 'I8' as const }]),
    )
    await expect(readParameters(graph, [{ ...file, tensors: ofIntegers }])).rejects.toThrow(
      /: \d+ of integers, as quantized weights are \(/,
    )
  })

  it.each(['model.', '_orig_mod.', 'module._orig_mod.', 'state_dict.', 'ema_model.'])(
    'inside of a wrapper are found: %s',
    async prefix => {
      const { graph, files } = await renamedWeights('test_vit', name => prefix + name)
      expect(await readParameters(graph, files)).toHaveLength(graph.parameters.size)
    },
  )

  it("of a library inside of a wrapper are found, and the library's own prefix is no second one", async () => {
    const { graph, files } = await renamedWeights(
      'test_vit',
      name =>
        `model.${replaced(name, [
          [/^(?=cls_token|pos_embed)/, 'embeddings.'],
          [/pos_embed/, 'position_embeddings'],
          [/^patch_embed\.proj/, 'embeddings.patch_embeddings.projection'],
          [/^norm/, 'layernorm'],
          [/^blocks\./, 'encoder.layer.'],
          [/attn\.proj/, 'attention.output.dense'],
          [/mlp\.fc1/, 'intermediate.dense'],
          [/mlp\.fc2/, 'output.dense'],
          [/norm1/, 'layernorm_before'],
          [/norm2/, 'layernorm_after'],
          [/^(?!head)/, 'vit.'],
          [/^head/, 'classifier'],
        ])}`,
    )
    const thirds = files.map(file => ({
      ...file,
      tensors: new Map([...file.tensors].flatMap(([name, entry]) => cutQkv(name, entry))),
    }))
    const { names } = findArchitecture('test_vit')
    expect(await readParameters(graph, thirds, names)).toHaveLength(graph.parameters.size)
  })

  it('with a mean of the weights beside them, or with tensors of something else, are refused', async () => {
    const { graph, files } = await renamedWeights('test_vit', name => name)
    const [{ tensors, ...file }] = files as [TensorFile]
    const entries = [...tensors]
    const under = (...prefixes: string[]): TensorFile[] => [
      {
        ...file,
        tensors: new Map(
          prefixes.flatMap(prefix =>
            entries.map(([name, entry]): [string, TensorEntry] => [prefix + name, entry]),
          ),
        ),
      },
    ]
    await expect(readParameters(graph, under('model.', 'model_ema.'))).rejects.toThrow(
      /several sets of weights, "model." and "model_ema.": save the one you mean alone/,
    )
    const withOther = (name: string): TensorFile[] =>
      under('model.').map(one => ({ ...one, tensors: one.tensors.set(name, entries[0]![1]) }))
    await expect(readParameters(graph, withOther('new_head.weight'))).rejects.toThrow(
      /: 1 beside the model \(new_head.weight\)$/,
    )
    const beside = await readParameters(graph, withOther('criterion.weight'))
    expect(beside).toHaveLength(graph.parameters.size)
  })

  it('with a head of another size say how they are described', async () => {
    const { files } = await renamedWeights('test_vit', name => name)
    const graph = graphOf(findArchitecture('test_vit'), 32, 10)
    await expect(readParameters(graph, files)).rejects.toThrow(
      /its head has 1000 classes: describe it in a model.json/,
    )
  })

  it('is not said of weights of a smaller or larger model of the library itself', async () => {
    const { files } = await renamedWeights('test_vit', name => name)
    const other = graphOf(findArchitecture('test_vit2'), 32)
    await expect(readParameters(other, files)).rejects.toThrow(/^(?!.*names are those).*missing/)
  })
})
