import { expect, it } from 'vitest'
import { graphOf } from '../../../scripts/conformanceCase.ts'
import { readParameters } from '../../../src/lib/tensors/bindWeights.ts'
import { asBytes } from '../../../src/lib/tensors/tensors.ts'
import { type NamedTensor } from '../../../src/lib/tensors/safetensors.ts'
import { findArchitecture } from '../../../src/models/architectures.ts'
import { volume } from '../../../src/lib/onnx/shapes.ts'

interface Given {
  name: string
  shape: readonly number[]
  /** Returns the values, made when they are read. */
  values: () => Float32Array
}

/** Returns the tensors of an architecture, each with values of its own. */
function ownTensors(model: string, size: number, classes?: number) {
  const graph = graphOf(findArchitecture(model), size, classes)
  const tensors = [...graph.parameters].map(([name, { tensor }], i): Given => {
    const shape = tensor.shape as number[]
    const values = () => Float32Array.from({ length: volume(shape) }, (_, j) => i + (j % 97) / 7)
    return { name, shape, values }
  })
  return { graph, tensors }
}

/** Reads the parameters `only` of an architecture from tensors by another library's names. */
function readForeign(
  model: string,
  graph: ReturnType<typeof graphOf>,
  { given, only }: { given: readonly Given[]; only: readonly string[] },
): Promise<NamedTensor[]> {
  const entries = given.map(({ name, shape, values }) => {
    const place = { file: 'foreign.safetensors', offset: 0, length: 4 * volume(shape) }
    const all = { name, dtype: 'F32' as const, shape, ...place }
    const isSmall = place.length < 100_000
    const read = () => Promise.resolve(values())
    return [name, isSmall ? { ...all, data: asBytes(values()) } : { ...all, values: read }] as const
  })
  const file = { file: 'foreign.safetensors', tensors: new Map(entries), metadata: {} }
  return readParameters(graph, [file], { ...findArchitecture(model).names, only })
}

const asRead = (tensors: readonly Given[], only: readonly string[]): NamedTensor[] =>
  only.map(name => {
    const { shape, values } = tensors.find(one => one.name === name)!
    return { name, shape, data: values() }
  })

const renamedBy = (name: string, rules: readonly (readonly [RegExp, string])[]): string =>
  rules.reduce((text, [pattern, by]) => text.replace(pattern, by), name)

/** Sequences of names of Apple's networks, of which timm makes stages. */
const apple: readonly (readonly [RegExp, string])[] = [
  [/^stem/, 'patch_embed'],
  [/^final_conv/, 'conv_exp'],
  [/conv_kxk/, 'rbr_conv'],
  [/conv_scale/, 'rbr_scale'],
  [/identity/, 'rbr_skip'],
  [/large_conv/, 'lkb_origin'],
  [/\.mlp\./, '.convffn.'],
  [/se\.fc1/, 'se.reduce'],
  [/se\.fc2/, 'se.expand'],
  [/(layer_scale(_[12])?)\.gamma/, '$1'],
  [/^stages\.0\.blocks/, 'network.0'],
  [/^stages\.1\.downsample/, 'network.1'],
  [/^stages\.1\.blocks/, 'network.2'],
  [/^stages\.2\.downsample/, 'network.3'],
  [/^stages\.2\.blocks/, 'network.4'],
  [/^stages\.3\.downsample/, 'network.5'],
  [/^stages\.3\.pos_emb\.pos_enc/, 'network.6.pe'],
  [/^stages\.3\.blocks/, 'network.7'],
]

const eva: readonly (readonly [RegExp, string])[] = [
  [/mlp\.fc1_g/, 'mlp.w1'],
  [/mlp\.fc1_x/, 'mlp.w2'],
  [/mlp\.fc2/, 'mlp.w3'],
  [/mlp\.norm/, 'mlp.ffn_ln'],
  [/attn\.norm/, 'attn.inner_attn_ln'],
  [/([qv])_proj\.bias/, '$1_bias'],
]

it.each<[string, number, readonly (readonly [RegExp, string])[], string]>([
  ['eva02_tiny_patch14_336', 56, eva, 'blocks.0.attn.q_bias'],
  ['eva02_base_patch14_448', 56, eva, 'blocks.0.attn.q_proj.bias'],
  [
    'fastvit_sa12',
    64,
    [...apple, [/^head\.fc/, 'head']],
    'stages.3.downsample.proj.0.large_conv.conv.weight',
  ],
])("the authors' names of %s become its own", async (model, size, rules, one) => {
  const { graph, tensors } = ownTensors(model, size)
  const given = tensors.map(tensor => ({ ...tensor, name: renamedBy(tensor.name, rules) }))
  expect(await readForeign(model, graph, { given, only: [one] })).toEqual(asRead(tensors, [one]))
})

it("the projection of MobileCLIP's authors is transposed and has no bias", async () => {
  const model = 'clip:MobileCLIP-S1'
  const { graph, tensors } = ownTensors(model, 64)
  const text: readonly (readonly [RegExp, string])[] = [
    [
      /^(?=text_projection|token_embedding|positional_embedding|ln_final|transformer)/,
      'text_encoder.',
    ],
    [/text_projection/, 'projection_layer'],
    [/token_embedding/, 'embedding_layer'],
    [/positional_embedding/, 'positional_embedding.pos_embed.pos_embed'],
    [/ln_final/, 'final_layer_norm'],
    [/transformer\.resblocks/, 'transformer'],
    [/\.norm1/, '.pre_norm_mha.0'],
    [/\.norm2/, '.pre_norm_ffn.0'],
    [/\.attn\.qkv/, '.pre_norm_mha.1.qkv_proj'],
    [/\.attn\.proj/, '.pre_norm_mha.1.out_proj'],
    [/\.mlp\.fc1/, '.pre_norm_ffn.1'],
    [/\.mlp\.fc2/, '.pre_norm_ffn.4'],
  ]
  const head = 'visual.trunk.head.fc'
  const given = tensors.flatMap(({ name, shape, values }): Given[] => {
    if (name === `${head}.bias`) return []
    if (name === `${head}.weight`) {
      const [rows, columns] = shape as [number, number]
      const from = values()
      const turned = from.map((_, i) => from[(i % rows) * columns + Math.floor(i / rows)]!)
      return [
        {
          name: 'image_encoder.model.head.proj',
          shape: [columns, rows],
          values: () => turned,
        },
      ]
    }
    const inside = name.replace(/^visual\.trunk\./, '')
    const rules = inside === name ? text : [...apple, [/^/, 'image_encoder.model.'] as const]
    return [{ name: renamedBy(inside, rules), shape, values }]
  })
  const only = [`${head}.weight`, `${head}.bias`, 'transformer.resblocks.0.attn.qkv.bias']
  const expected = asRead(tensors, only)
  expected[1]!.data.fill(0)
  expect(await readForeign(model, graph, { given, only })).toEqual(expected)
})

it("DINOv2's first position is part of the class token beside registers", async () => {
  const model = 'vit_small_patch14_reg4_dinov2'
  const { graph, tensors } = ownTensors(model, 28, 0)
  const positions = Float32Array.from({ length: 5 * 384 }, (_, i) => i / 3)
  const given = tensors.map(tensor => ({
    ...tensor,
    name: tensor.name.replace('reg_token', 'register_tokens'),
    ...(tensor.name === 'pos_embed' && { shape: [1, 5, 384], values: () => positions }),
  }))
  const mask = { name: 'mask_token', shape: [1, 384], values: () => new Float32Array(384) }
  const only = ['pos_embed', 'cls_token', 'reg_token']
  const [, token, registers] = asRead(tensors, only)
  expect(await readForeign(model, graph, { given: [...given, mask], only })).toEqual([
    { name: 'pos_embed', shape: [1, 4, 384], data: positions.subarray(384) },
    { ...token!, data: token!.data.map((x, i) => x + positions[i]!) },
    registers,
  ])
})

it("MMPretrain's DeiT III is renamed unless its norms were never trained", async () => {
  const model = 'deit3_small_patch16_224'
  const { graph, tensors } = ownTensors(model, 32)
  const rules: readonly (readonly [RegExp, string])[] = [
    [/^(cls_token|pos_embed)/, 'backbone.$1'],
    [/^patch_embed\.proj/, 'backbone.patch_embed.projection'],
    [/^norm/, 'backbone.ln1'],
    [/^head/, 'head.layers.head'],
    [/^blocks/, 'backbone.layers'],
    [/norm([12])/, 'ln$1'],
    [/ls1\.gamma/, 'attn.gamma1.weight'],
    [/ls2\.gamma/, 'ffn.gamma2.weight'],
    [/mlp\.fc1/, 'ffn.layers.0.0'],
    [/mlp\.fc2/, 'ffn.layers.1'],
  ]
  const given = tensors.map(tensor => ({ ...tensor, name: renamedBy(tensor.name, rules) }))
  const only = ['blocks.3.norm2.weight', 'blocks.3.ls2.gamma']
  expect(await readForeign(model, graph, { given, only })).toEqual(asRead(tensors, only))
  const untrained = given.map(one =>
    one.name.endsWith('ln2.weight')
      ? { ...one, values: () => new Float32Array(volume(one.shape)).fill(1) }
      : one,
  )
  await expect(readForeign(model, graph, { given: untrained, only })).rejects.toThrow(
    /"backbone.layers.3.ln2.weight" was never trained: since version 1.0.0rc7 MMPretrain applies ln1/,
  )
})
