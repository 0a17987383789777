import { expect, it } from 'vitest'
import {
  asRead,
  hashed,
  ownTensors,
  readForeign,
  renamedBy,
  type Renaming,
} from './givenTensors.ts'

/** The names of the stages of networks after ConvNeXt. */
const stages: Renaming = [
  [/^stem/, 'downsample_layers.0'],
  [/^stages\.(\d)\.downsample/, 'downsample_layers.$1'],
  [/^stages\.(\d)\.blocks/, 'stages.$1'],
]

/** Those of networks that count stages and what lies between them together. */
const network: Renaming = [
  ...[0, 1, 2, 3].map(i => [new RegExp(`^stages\\.${i}\\.blocks`), `network.${2 * i}`] as const),
  ...[1, 2, 3].map(
    i => [new RegExp(`^stages\\.${i}\\.downsample`), `network.${2 * i - 1}`] as const,
  ),
  [/head_dist/, 'dist_head'],
]

it.each<[string, number, Renaming, string]>([
  [
    'pvt_v2_b0',
    64,
    [
      [/^patch_embed/, 'patch_embed1'],
      [/mlp\.dwconv/, 'mlp.dwconv.dwconv'],
      ...[0, 1, 2, 3].flatMap((i): [RegExp, string][] => [
        [new RegExp(`^stages\\.${i}\\.downsample`), `patch_embed${i + 1}`],
        [new RegExp(`^stages\\.${i}\\.blocks`), `block${i + 1}`],
        [new RegExp(`^stages\\.${i}\\.norm`), `norm${i + 1}`],
      ]),
    ],
    'stages.1.blocks.0.mlp.dwconv.weight',
  ],
  [
    'focalnet_tiny_srf',
    64,
    [
      [/^stem/, 'patch_embed'],
      ...[1, 2, 3].map(i => [new RegExp(`^layers\\.${i}\\.down`), `layers.${i - 1}.down`] as const),
      [/head\.fc/, 'head'],
    ],
    'layers.2.downsample.proj.bias',
  ],
  [
    'mambaout_femto',
    64,
    [
      ...stages,
      [/^head\.norm/, 'norm'],
      [/head\.pre_logits\.fc/, 'head.fc1'],
      [/head\.pre_logits\.norm/, 'head.norm'],
      [/head\.fc\./, 'head.fc2.'],
    ],
    'head.pre_logits.norm.bias',
  ],
  [
    'caformer_s18',
    64,
    [
      [/^stem\.norm/, 'downsample_layers.0.post_norm'],
      [/^stages\.(\d)\.downsample\.norm/, 'downsample_layers.$1.pre_norm'],
      ...stages,
      [/head\.norm/, 'norm'],
      [/head\.fc\./, 'head.'],
    ],
    'stages.1.downsample.norm.weight',
  ],
  [
    'edgenext_xx_small',
    64,
    [
      ...stages,
      [/conv_dw/, 'dwconv'],
      [/mlp\.fc/, 'pwconv'],
      [/head\.norm/, 'norm'],
      [/head\.fc/, 'head'],
    ],
    'stages.1.blocks.1.mlp.fc1.bias',
  ],
  [
    'davit_tiny',
    64,
    [
      [/^stem/, 'patch_embeds.0'],
      [/^stages\.(\d)\.downsample/, 'patch_embeds.$1'],
      [/^stages\.(\d)\.blocks/, 'main_blocks.$1'],
      [/(patch_embeds\.\d)\.conv/, '$1.proj'],
      [/head\.fc/, 'head'],
      [/head\.norm/, 'norms'],
      [/cpe1/, 'cpe.0'],
      [/cpe2/, 'cpe.1'],
    ],
    'stages.1.blocks.0.1.cpe2.proj.bias',
  ],
  [
    'swiftformer_xs',
    64,
    [
      ...network,
      [/^stem/, 'patch_embed'],
      [/attn\.proj\./, 'attn.Proj.'],
      [/(layer_scale(_[12])?)\.gamma/, '$1'],
    ],
    'stages.2.downsample.proj.bias',
  ],
  [
    'efficientformer_l1',
    224,
    [
      [/^stem\.conv1/, 'patch_embed.0'],
      [/^stem\.norm1/, 'patch_embed.1'],
      [/^stem\.conv2/, 'patch_embed.3'],
      [/^stem\.norm2/, 'patch_embed.4'],
      [/downsample\.conv/, 'downsample.proj'],
      ...network,
      [/ls([12])\.gamma/, 'layer_scale_$1'],
    ],
    'stages.1.downsample.norm.bias',
  ],
  [
    'tnt_s_legacy_patch16_224',
    32,
    [
      [/patch_pos/, 'outer_pos'],
      [/pixel_pos/, 'inner_pos'],
      [/pixel_embed/, 'patch_embed'],
      [/norm([12])_proj/, 'proj_norm$1'],
      [/norm_in/, 'inner_norm1'],
      [/norm_mlp_in/, 'inner_norm2'],
      [/(attn|mlp)_in/, 'inner_$1'],
      [/norm_out/, 'outer_norm1'],
      [/norm_mlp/, 'outer_norm2'],
      [/attn_out/, 'outer_attn'],
      [/\.mlp\./, '.outer_mlp.'],
    ],
    'blocks.1.norm_mlp_in.weight',
  ],
  ['rdnet_tiny', 64, [[/^stem/, 'stem.stem']], 'stem.1.bias'],
  [
    'resmlp_12_224',
    224,
    [
      [/^stem/, 'patch_embed'],
      [/linear_tokens/, 'attn'],
      [/mlp_channels/, 'mlp'],
      [/\.ls([12])$/, '.gamma_$1'],
    ],
    'blocks.3.ls2',
  ],
])("the authors' names of %s become its own", async (model, size, rules, one) => {
  const { graph, tensors } = ownTensors(model, size)
  const given = tensors.map(tensor => ({ ...tensor, name: renamedBy(tensor.name, rules) }))
  const only = [one]
  expect(hashed(await readForeign(model, graph, { given, only }))).toEqual(
    hashed(asRead(tensors, only)),
  )
})

it("the queries, keys and values of XCiT's authors are cut apart", async () => {
  const model = 'xcit_nano_12_p16_224'
  const { graph, tensors } = ownTensors(model, 32)
  const parts = (name: string, part: string): string => name.replace('attn.q.', `attn.${part}.`)
  const given = tensors.flatMap(tensor => {
    const { name, shape } = tensor
    if (/cls_attn.*attn\.[kv]\./.test(name)) return []
    if (!/cls_attn.*attn\.q\./.test(name))
      return [{ ...tensor, name: name.replace('pos_embed', 'pos_embeder') }]
    const all = 'qkv'.split('').map(part => tensors.find(one => one.name === parts(name, part))!)
    const values = (): Float32Array => Float32Array.from(all.flatMap(one => [...one.values()]))
    return [{ name: parts(name, 'qkv'), shape: [3 * shape[0]!, ...shape.slice(1)], values }]
  })
  const only = ['cls_attn_blocks.0.attn.k.weight', 'cls_attn_blocks.1.attn.v.bias']
  expect(hashed(await readForeign(model, graph, { given, only }))).toEqual(
    hashed(asRead(tensors, only)),
  )
})
