import { expect, it } from 'vitest'
import {
  asRead,
  cutInThirds,
  type Given,
  hashed,
  ownTensors,
  readForeign,
  renamedBy,
  type Renaming,
} from './givenTensors.ts'
import { volume } from '../../../src/lib/onnx/shapes.ts'

/** Sequences of names of Apple's networks, of which timm makes stages. */
const apple: Renaming = [
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

const eva: Renaming = [
  [/mlp\.fc1_g/, 'mlp.w1'],
  [/mlp\.fc1_x/, 'mlp.w2'],
  [/mlp\.fc2/, 'mlp.w3'],
  [/mlp\.norm/, 'mlp.ffn_ln'],
  [/attn\.norm/, 'attn.inner_attn_ln'],
  [/([qv])_proj\.bias/, '$1_bias'],
]

const dinov3: Renaming = [
  [/reg_token/, 'storage_tokens'],
  [/gamma_([12])/, 'ls$1.gamma'],
  [/fc1_g/, 'w1'],
  [/fc1_x/, 'w2'],
  [/fc2/, 'w3'],
]

const transformersDinov3: Renaming = [
  [/^(cls_token|reg_token|patch_embed)/, 'embeddings.$1'],
  [/reg_token/, 'register_tokens'],
  [/patch_embed\.proj/, 'patch_embeddings'],
  [/^blocks/, 'layer'],
  [/gamma_([12])/, 'layer_scale$1.lambda1'],
  [/attn\.proj/, 'attention.o_proj'],
  [/attn\.([qv])_bias/, 'attention.$1_proj.bias'],
  [/fc1_g/, 'gate_proj'],
  [/fc1_x/, 'up_proj'],
  [/fc2/, 'down_proj'],
]

/** Apple's names of a block of a transformer. */
const appleBlock: Renaming = [
  [/\.norm1/, '.pre_norm_mha.0'],
  [/\.norm2/, '.pre_norm_ffn.0'],
  [/\.attn\.qkv/, '.pre_norm_mha.1.qkv_proj'],
  [/\.attn\.proj/, '.pre_norm_mha.1.out_proj'],
  [/\.mlp\.fc1/, '.pre_norm_ffn.1'],
  [/\.mlp\.fc2/, '.pre_norm_ffn.4'],
]

/** Apple's names of a text tower. */
const appleText: Renaming = [
  [
    /^(?=text_projection|token_embedding|positional_embedding|ln_final|transformer)/,
    'text_encoder.',
  ],
  [/text_projection/, 'projection_layer'],
  [/token_embedding/, 'embedding_layer'],
  [/positional_embedding/, 'positional_embedding.pos_embed.pos_embed'],
  [/ln_final/, 'final_layer_norm'],
  [/transformer\.resblocks/, 'transformer'],
  ...appleBlock,
]

const appleVit: Renaming = [
  [/^visual\.trunk\.patch_embed\.backbone\.(\d)\.conv/, 'patch_emb.$1.block.conv'],
  [/^visual\.trunk\.patch_embed\.backbone\.(\d)\.bn/, 'patch_emb.$1.block.norm'],
  [/^visual\.trunk\.pos_embed/, 'pos_embed.pos_embed.pos_embed'],
  [/^visual\.trunk\.norm/, 'post_transformer_norm'],
  [/^visual\.trunk\.blocks/, 'transformer'],
  [/^visual\.trunk\./, ''],
  [/^(?=patch_emb|pos_embed|post_|transformer|cls_token)/, 'image_encoder.model.'],
  ...appleBlock,
]

const perception: Renaming = [
  [/^visual\.trunk\.cls_token/, 'visual.class_embedding'],
  [/^visual\.trunk\.pos_embed/, 'visual.positional_embedding'],
  [/^visual\.trunk\.patch_embed\.proj/, 'visual.conv1'],
  [/^visual\.trunk\.norm_pre/, 'visual.ln_pre'],
  [/^visual\.trunk\.norm/, 'visual.ln_post'],
  [/^visual\.trunk\.blocks/, 'visual.transformer.resblocks'],
  [/^visual\.trunk\.attn_pool\.latent/, 'visual.attn_pool.probe'],
  [/^visual\.trunk\.attn_pool\.proj/, 'visual.attn_pool.attn.out_proj'],
  [/^visual\.trunk\.attn_pool\.norm/, 'visual.attn_pool.layernorm'],
  [/^visual\.trunk\./, 'visual.'],
  [/norm([12])/, 'ln_$1'],
  [/attn\.qkv\./, 'attn.in_proj_'],
  [/attn\.proj/, 'attn.out_proj'],
  [/mlp\.fc1/, 'mlp.c_fc'],
  [/mlp\.fc2/, 'mlp.c_proj'],
]

const transposed = ({ shape, values }: Given): Pick<Given, 'shape' | 'values'> => {
  const [rows, columns] = shape as [number, number]
  const turned = (from: Float32Array): Float32Array =>
    from.map((_, i) => from[(i % rows) * columns + Math.floor(i / rows)]!)
  return { shape: [columns, rows], values: () => turned(values()) }
}

/** Returns a bias of queries, keys and values of which that of the keys is none. */
const withKeyBias = (tensors: readonly Given[]): Given[] =>
  tensors.flatMap((given): Given[] => {
    if (given.name.endsWith('.v_bias')) return []
    if (!given.name.endsWith('.q_bias')) return [given]
    const start = given.name.replace('q_bias', '')
    const other = tensors.find(({ name }) => name === `${start}v_bias`)!
    const shape = [3 * given.shape[0]!]
    const values = (): Float32Array =>
      Float32Array.from([...given.values(), ...given.values(), ...other.values()])
    const mask = { name: `${start}qkv.bias_mask`, shape, values }
    return [{ name: `${start}qkv.bias`, shape, values }, mask]
  })

it.each<[string, number, Renaming, string, boolean?]>([
  ['eva02_tiny_patch14_336', 56, eva, 'blocks.0.attn.q_bias'],
  ['eva02_base_patch14_448', 56, eva, 'blocks.0.attn.q_proj.bias'],
  [
    'fastvit_sa12',
    64,
    [...apple, [/^head\.fc/, 'head']],
    'stages.3.downsample.proj.0.large_conv.conv.weight',
  ],
  [
    'clip:EVA02-B-16',
    32,
    [[/^visual\.trunk\./, 'visual.'], ...eva],
    'visual.trunk.blocks.0.attn.norm.weight',
  ],
  ['deit3_small_patch16_224', 32, [[/ls([12])\.gamma/, 'gamma_$1']], 'blocks.3.ls2.gamma'],
  ['vit_small_plus_patch16_dinov3_qkvb', 32, dinov3, 'blocks.3.mlp.fc1_x.bias', true],
  ['vit_small_patch16_dinov3_qkvb', 32, dinov3.slice(0, 2), 'blocks.3.attn.v_bias', true],
])("the authors' names of %s become its own", async (model, size, rules, one, hasKeyBias) => {
  const { graph, tensors } = ownTensors(model, size, model.includes('dinov3') ? 0 : undefined)
  const given = (hasKeyBias ? withKeyBias(tensors) : tensors).map(tensor => ({
    ...tensor,
    name: renamedBy(tensor.name, rules),
  }))
  expect(hashed(await readForeign(model, graph, { given, only: [one] }))).toEqual(
    hashed(asRead(tensors, [one])),
  )
})

it("transformers' DINOv3 becomes timm's, with and without gates", async () => {
  for (const [model, rules] of [
    ['vit_small_plus_patch16_dinov3_qkvb', transformersDinov3],
    ['vit_small_patch16_dinov3_qkvb', [...transformersDinov3, [/fc1/, 'up_proj']]],
  ] as const) {
    const { graph, tensors } = ownTensors(model, 32, 0)
    const given = tensors
      .map(tensor => ({ ...tensor, name: renamedBy(tensor.name, rules) }))
      .flatMap(tensor =>
        cutInThirds(tensor, /attn\.qkv/, [
          'attention.q_proj',
          'attention.k_proj',
          'attention.v_proj',
        ]),
      )
    const only = ['blocks.2.attn.qkv.weight', 'blocks.2.attn.v_bias', 'blocks.1.gamma_1']
    expect(hashed(await readForeign(model, graph, { given, only }))).toEqual(
      hashed(asRead(tensors, only)),
    )
  }
})

it("the names of DINOv3's ConvNeXt become timm's, of its authors and of transformers", async () => {
  const model = 'convnext_tiny'
  const { graph, tensors } = ownTensors(model, 32, 0)
  const authors: Renaming = [
    [/^stem/, 'downsample_layers.0'],
    [/^stages\.(\d)\.downsample/, 'downsample_layers.$1'],
    [/\.blocks\./, '.'],
    [/conv_dw/, 'dwconv'],
    [/mlp\.fc/, 'pwconv'],
    [/^head\.norm/, 'norm'],
  ]
  const transformers: Renaming = [
    [/^stem/, 'stages.0.downsample_layers'],
    [/downsample\./, 'downsample_layers.'],
    [/\.blocks\./, '.layers.'],
    [/conv_dw/, 'depthwise_conv'],
    [/mlp\.fc/, 'pointwise_conv'],
    [/(\.\d+)\.norm/, '$1.layer_norm'],
    [/^head\.norm/, 'layer_norm'],
  ]
  const only = ['stem.0.weight', 'stages.1.downsample.1.bias', 'stages.2.blocks.1.gamma']
  for (const rules of [authors, transformers]) {
    const given = tensors.map(tensor => ({ ...tensor, name: renamedBy(tensor.name, rules) }))
    const norms = given
      .filter(({ name }) => name.startsWith('norm.'))
      .map(norm => ({ ...norm, name: norm.name.replace('norm', 'norms.3') }))
    const all = [...given, ...norms]
    expect(hashed(await readForeign(model, graph, { given: all, only }))).toEqual(
      hashed(asRead(tensors, only)),
    )
  }
})

it.each<[string, number, Renaming, string]>([
  ['clip:MobileCLIP-B', 32, appleVit, 'image_encoder.model.classifier.proj'],
  ['clip:PE-Core-S-16-384', 32, perception, 'visual.proj'],
])(
  "the authors' projection of %s is transposed and has no bias",
  async (model, size, rules, proj) => {
    const { graph, tensors } = ownTensors(model, size)
    const head = 'visual.trunk.head'
    const given = tensors.flatMap((tensor): Given[] => {
      const { name } = tensor
      if (name === `${head}.bias` || name.includes('attn_pool.kv')) return []
      if (name === `${head}.weight`) return [{ name: proj, ...transposed(tensor) }]
      if (name.includes('attn_pool.q.')) {
        const pair = tensors.find(other => other.name === name.replace('.q.', '.kv.'))!
        return [
          {
            name: name.replace('trunk.attn_pool.q.', 'attn_pool.attn.in_proj_'),
            shape: [3 * tensor.shape[0]!, ...tensor.shape.slice(1)],
            values: () => Float32Array.from([...tensor.values(), ...pair.values()]),
          },
        ]
      }
      const isText = !name.startsWith('visual.')
      if (isText && model.includes('PE')) return [tensor]
      return [{ ...tensor, name: renamedBy(name, isText ? appleText : rules) }]
    })
    const only = [`${head}.weight`, `${head}.bias`, 'visual.trunk.blocks.0.attn.qkv.bias']
    if (model.includes('PE')) only.push('visual.trunk.attn_pool.kv.bias')
    const expected = asRead(tensors, only)
    expected[1]!.data.fill(0)
    expect(hashed(await readForeign(model, graph, { given, only }))).toEqual(hashed(expected))
  },
)

it("the projection of MobileCLIP's authors is transposed and has no bias", async () => {
  const model = 'clip:MobileCLIP-S1'
  const { graph, tensors } = ownTensors(model, 64)
  const head = 'visual.trunk.head.fc'
  const given = tensors.flatMap(({ name, shape, values }): Given[] => {
    if (name === `${head}.bias`) return []
    if (name === `${head}.weight`)
      return [{ name: 'image_encoder.model.head.proj', ...transposed({ name, shape, values }) }]
    const inside = name.replace(/^visual\.trunk\./, '')
    const rules = inside === name ? appleText : [...apple, [/^/, 'image_encoder.model.'] as const]
    return [{ name: renamedBy(inside, rules), shape, values }]
  })
  const only = [`${head}.weight`, `${head}.bias`, 'transformer.resblocks.0.attn.qkv.bias']
  const expected = asRead(tensors, only)
  expected[1]!.data.fill(0)
  expect(hashed(await readForeign(model, graph, { given, only }))).toEqual(hashed(expected))
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
  expect(hashed(await readForeign(model, graph, { given, only }))).toEqual(
    hashed(asRead(tensors, only)),
  )
  const untrained = given.map(one =>
    one.name.endsWith('ln2.weight')
      ? { ...one, values: () => new Float32Array(volume(one.shape)).fill(1) }
      : one,
  )
  await expect(readForeign(model, graph, { given: untrained, only })).rejects.toThrow(
    /"backbone.layers.3.ln2.weight" was never trained: since version 1.0.0rc7 MMPretrain applies ln1/,
  )
})
