/**
 * CLIP (Radford et al. 2021) and OpenCLIP's other models (Ilharco et al. 2021): CoCa (Yu et al. 2022), CLIPA (Li et al.
 * 2023), EVA-CLIP (Sun et al. 2023), SigLIP and SigLIP 2 (Zhai et al. 2023, Tschannen et al. 2025), NLLB-CLIP (Visheratin
 * 2023), MobileCLIP (Vasu et al. 2023), ViTamin (Chen et al. 2024), the Perception Encoder (Bolya et al. 2025) and MetaCLIP
 * worldwide (Chuang et al. 2025), as OpenCLIP's model.py, coca_model.py and hf_model.py compute them.
 */
import { gelu, quickGelu } from '../../lib/onnx/ops.ts'
import { type ParameterScope } from '../../lib/onnx/graph.ts'
import { type NameTable } from '../../lib/tensors/bindWeights.ts'
import { imageTower } from './clipImage.ts'
import { type NativeText, textTower } from './clipText.ts'
import {
  clip,
  clipa,
  type ClipConfig,
  clipText,
  coca,
  resNet,
  siglip,
  type SigLipTowers,
  timmTower,
  viT,
  withNllb,
  withRoberta,
  worldwide,
} from './clipConfigs.ts'
import { type Rows, type DualEncoder } from './family.ts'

/** Returns the rows of models that differ in their image size alone: `NAME NAME-336`. */
const named = (names: string, config: ClipConfig): Rows<ClipConfig> =>
  Object.fromEntries(names.split(' ').map(name => [`clip:${name}`, config]))

/** Returns the rows with the exact GELU and, as `NAME-quickgelu`, with OpenAI's approximation. */
const inBothWays = (names: string, config: ClipConfig): Rows<ClipConfig> => ({
  ...named(names, config),
  ...named(names.replaceAll(/(?= |$)/g, '-quickgelu'), { ...config, activation: quickGelu }),
})

const joined = (parts: readonly Rows<ClipConfig>[]): Rows<ClipConfig> =>
  Object.fromEntries(parts.flatMap(Object.entries<ClipConfig>))

/** Names of models, the width of their shared space, their image tower of timm and its head; the text tower is as wide by default. */
type TimmRow = readonly [
  names: string,
  embedding: number,
  tower: string,
  head: 'own' | 'linear' | 'mlp',
  text?: NativeText,
]

const besideTimm = (list: readonly TimmRow[]): Rows<ClipConfig> =>
  joined(
    list.map(([names, embedding, tower, head, text = clipText(embedding)]) =>
      named(names, clip(embedding, timmTower(tower, head), text)),
    ),
  )

/** Names of models, timm's name of their image tower after `vit_`, and the width of their text tower. */
type SigLipRow = readonly [
  names: string,
  image: string,
  width: number,
  more?: Pick<SigLipTowers, 'embedding' | 'text'>,
]

const sigLips = (
  vocabulary: SigLipTowers['vocabulary'],
  list: readonly SigLipRow[],
): Rows<ClipConfig> =>
  joined(
    list.map(([names, image, width, more]) =>
      named(names, siglip({ image: `vit_${image}`, vocabulary, width, ...more })),
    ),
  )

const viTH = viT(14, 1280, { blocks: 32, heads: 16 })
const viTg = viT(14, 1408, { blocks: 40, heads: 16, hidden: 6144 })
const viTbigG = viT(14, 1664, { blocks: 48, heads: 16, hidden: 8192 })
const text512 = clipText(512)
const text640 = clipText(640)
const text768 = clipText(768)
const text1024 = clipText(1024)
const text1280 = clipText(1280, { blocks: 32 })
/** MobileCLIP's texts: every token sees every other. */
const seen512 = clipText(512, { causal: false })
const seen768 = clipText(768, { causal: false })
const textSo400m = clipText(1152, { heads: 16, blocks: 27 })
const text72 = clipText(1280, { positions: 72 })
const short = { positions: 32 }
const unprojected = { text: { projection: 'none' } } as const
const base32 = viT(32, 768)

const rows: Rows<ClipConfig> = {
  ...inBothWays('RN50', clip(1024, resNet([3, 4, 6, 3], 64), text512)),
  ...inBothWays('RN101', clip(512, resNet([3, 4, 23, 3], 64), text512)),
  ...inBothWays('RN50x4', clip(640, resNet([4, 6, 10, 6], 80), text640)),
  ...inBothWays('RN50x16', clip(768, resNet([6, 8, 18, 8], 96), text768)),
  ...inBothWays(
    'RN50x64',
    clip(1024, resNet([3, 15, 36, 10], 128), clipText(1024, { blocks: 12 })),
  ),
  ...inBothWays('ViT-B-32', clip(512, base32, text512)),
  ...named('ViT-B-32-256', clip(512, base32, text512)),
  ...inBothWays('ViT-B-16', clip(512, viT(16, 768), text512)),
  ...named('ViT-B-16-plus-240', clip(640, viT(16, 896), text640)),
  ...inBothWays('ViT-L-14 ViT-L-14-336', clip(768, viT(14, 1024), text768)),
  ...inBothWays('ViT-H-14 ViT-H-14-378', clip(1024, viTH, text1024)),
  ...named('ViT-g-14', clip(1024, viTg, text1024)),
  ...inBothWays('ViT-bigG-14', clip(1280, viTbigG, text1280)),

  ...named('roberta-ViT-B-32', {
    ...withRoberta(512, base32, 'roberta-base'),
    activation: quickGelu,
  }),
  ...named('xlm-roberta-base-ViT-B-32', withRoberta(512, base32, 'xlm-roberta-base')),
  ...named('xlm-roberta-large-ViT-H-14', withRoberta(1024, viTH, 'xlm-roberta-large')),
  ...named('coca_ViT-B-32', coca(512, base32)),
  ...named('coca_ViT-L-14', coca(768, viT(14, 1024))),
  ...named('ViT-L-14-CLIPA ViT-L-14-CLIPA-336', clipa(768, viT(14, 1024), text768)),
  ...named('ViT-H-14-CLIPA ViT-H-14-CLIPA-336', clipa(1024, viTH, text1024)),
  ...named('ViT-bigG-14-CLIPA ViT-bigG-14-CLIPA-336', clipa(1280, viTbigG, text1280)),
  ...named('nllb-clip-base', withNllb(512, base32, '600M')),
  ...named('nllb-clip-large', withNllb(1024, viTH, '1.3B')),
  ...named(
    'nllb-clip-base-siglip',
    withNllb(768, timmTower('vit_base_patch16_siglip_384', 'none'), '600M'),
  ),
  ...named(
    'nllb-clip-large-siglip',
    withNllb(1152, timmTower('vit_so400m_patch14_siglip_384', 'none'), '1.3B'),
  ),
  ...inBothWays('ViT-H-14-worldwide', worldwide(1024, viTH, text1024)),
  ...named('ViT-H-14-worldwide-378', worldwide(1024, viTH, text1024)),
  ...named('ViT-bigG-14-worldwide ViT-bigG-14-worldwide-378', worldwide(1280, viTbigG, text1280)),

  ...besideTimm([
    ['convnext_base', 512, 'convnext_base', 'linear'],
    ['convnext_base_w convnext_base_w_320', 640, 'convnext_base', 'linear'],
    [
      'convnext_large_d convnext_large_d_320',
      768,
      'convnext_large',
      'mlp',
      clipText(768, { blocks: 16 }),
    ],
    ['convnext_xxlarge', 1024, 'convnext_xxlarge', 'linear'],
    ['EVA01-g-14', 1024, 'eva_giant_patch14_clip_224', 'own', text768],
    ['EVA01-g-14-plus', 1024, 'eva_giant_patch14_clip_224', 'own'],
    ['EVA02-B-16', 512, 'eva02_base_patch16_clip_224', 'own'],
    ['EVA02-L-14 EVA02-L-14-336', 768, 'eva02_large_patch14_clip_224', 'own'],
    ['EVA02-E-14', 1024, 'eva02_enormous_patch14_clip_224', 'own'],
    ['EVA02-E-14-plus', 1024, 'eva02_enormous_patch14_clip_224', 'own', text1280],
    ['MobileCLIP-B MobileCLIP2-B', 512, 'vit_base_mci_224', 'own'],
    ['MobileCLIP2-S0', 512, 'fastvit_mci0', 'own', seen512],
    ['MobileCLIP-S1', 512, 'fastvit_mci1', 'own', seen512],
    ['MobileCLIP-S2 MobileCLIP2-S2', 512, 'fastvit_mci2', 'own', seen512],
    ['MobileCLIP2-S3', 768, 'fastvit_mci3', 'own', seen768],
    ['MobileCLIP2-S4', 768, 'fastvit_mci4', 'own', seen768],
    ['MobileCLIP2-L-14', 768, 'vit_large_patch14_clip_224', 'own', seen768],
    ['ViTamin-S', 384, 'vitamin_small_224', 'linear'],
    ['ViTamin-S-LTT', 768, 'vitamin_small_224', 'linear'],
    ['ViTamin-B', 512, 'vitamin_base_224', 'linear'],
    ['ViTamin-B-LTT', 768, 'vitamin_base_224', 'linear'],
    ['ViTamin-L ViTamin-L-256 ViTamin-L-336 ViTamin-L-384', 768, 'vitamin_large_224', 'linear'],
    [
      'ViTamin-L2 ViTamin-L2-256 ViTamin-L2-336 ViTamin-L2-384',
      1024,
      'vitamin_large2_224',
      'linear',
    ],
    [
      'ViTamin-XL-256 ViTamin-XL-336 ViTamin-XL-384',
      1152,
      'vitamin_xlarge_256',
      'linear',
      textSo400m,
    ],
    ['PE-Core-T-16-384', 512, 'vit_pe_core_tiny_patch16_384', 'own', clipText(512, short)],
    ['PE-Core-S-16-384', 512, 'vit_pe_core_small_patch16_384', 'own', clipText(512, short)],
    ['PE-Core-B-16', 1024, 'vit_pe_core_base_patch16_224', 'own', clipText(1024, short)],
    ['PE-Core-L-14-336', 1024, 'vit_pe_core_large_patch14_336', 'own', clipText(1024, short)],
    ['PE-Core-bigG-14-448', 1280, 'vit_pe_core_gigantic_patch14_448', 'own', text72],
  ]),

  ...sigLips('english', [
    [
      'ViT-B-16-SigLIP ViT-B-16-SigLIP-256 ViT-B-16-SigLIP-384 ViT-B-16-SigLIP-512',
      'base_patch16_siglip_224',
      768,
    ],
    ['ViT-L-16-SigLIP-256 ViT-L-16-SigLIP-384', 'large_patch16_siglip_256', 1024],
    ['ViT-SO400M-14-SigLIP', 'so400m_patch14_siglip_224', 1152, { text: { positions: 16 } }],
    ['ViT-SO400M-14-SigLIP-378 ViT-SO400M-14-SigLIP-384', 'so400m_patch14_siglip_378', 1152],
  ]),
  ...sigLips('multilingual', [
    ['ViT-B-16-SigLIP-i18n-256', 'base_patch16_siglip_256', 768],
    ['ViT-SO400M-16-SigLIP-i18n-256', 'so400m_patch16_siglip_256', 1152, unprojected],
  ]),
  ...sigLips('gemma', [
    ['ViT-B-32-SigLIP2-256', 'base_patch32_siglip_256', 768],
    [
      'ViT-B-16-SigLIP2 ViT-B-16-SigLIP2-256 ViT-B-16-SigLIP2-384 ViT-B-16-SigLIP2-512',
      'base_patch16_siglip_224',
      768,
    ],
    ['ViT-L-16-SigLIP2-256 ViT-L-16-SigLIP2-384', 'large_patch16_siglip_256', 1024],
    ['ViT-L-16-SigLIP2-512', 'large_patch16_siglip_512', 1024],
    ['ViT-SO400M-14-SigLIP2 ViT-SO400M-14-SigLIP2-378', 'so400m_patch14_siglip_224', 1152],
    [
      'ViT-SO400M-16-SigLIP2-256 ViT-SO400M-16-SigLIP2-384 ViT-SO400M-16-SigLIP2-512',
      'so400m_patch16_siglip_256',
      1152,
    ],
    [
      'ViT-gopt-16-SigLIP2-256 ViT-gopt-16-SigLIP2-384',
      'giantopt_patch16_siglip_256',
      1152,
      { embedding: 1536 },
    ],
  ]),
}

/** Returns a rule for the names of both towers; the text tower's may begin with `text.`. */
const rule = (pattern: string, replacement: string): readonly [RegExp, string] => [
  new RegExp(`^(?:text\\.)?(.*)${pattern}`),
  `$1${replacement}`,
]

const rename: NonNullable<NameTable['rename']> = [
  rule('\\.ln_([12])\\.', '.norm$2.'),
  rule('\\.attn\\.in_proj_(weight|bias)$', '.attn.qkv.$2'),
  rule('\\.attn\\.out_proj\\.', '.attn.proj.'),
  rule('\\.mlp\\.c_fc\\.', '.mlp.fc1.'),
  rule('\\.mlp\\.c_proj\\.', '.mlp.fc2.'),
  // transformers' RoBERTa
  rule('\\.attention\\.self\\.', '.attn.'),
  rule('\\.attention\\.output\\.dense\\.', '.attn.proj.'),
  rule('\\.attention\\.output\\.LayerNorm\\.', '.norm1.'),
  rule('\\.intermediate\\.dense\\.', '.mlp.fc1.'),
  rule('(\\.layer\\.\\d+)\\.output\\.dense\\.', '$2.mlp.fc2.'),
  rule('(\\.layer\\.\\d+)\\.output\\.LayerNorm\\.', '$2.norm2.'),
  // transformers' M2M-100
  rule('\\.self_attn\\.q_proj\\.', '.attn.query.'),
  rule('\\.self_attn\\.k_proj\\.', '.attn.key.'),
  rule('\\.self_attn\\.v_proj\\.', '.attn.value.'),
  rule('\\.self_attn\\.out_proj\\.', '.attn.proj.'),
  rule('\\.self_attn_layer_norm\\.', '.norm1.'),
  rule('\\.final_layer_norm\\.', '.norm2.'),
  rule('(transformer\\.layers\\.\\d+)\\.fc([12])\\.', '$2.mlp.fc$3.'),
  rule('transformer\\.layer_norm\\.', 'transformer.norm.'),
  [/^text\./, ''],
]

/** Counters, tables that are computed here, and CoCa's decoder of captions. */
const ignore = [
  /^(input_resolution|context_length|vocab_size|(text\.)?attn_mask)$/,
  /^text\.transformer\.embeddings\.position_ids$/,
  /^text\.transformer\.embed_positions\./,
  /^text_decoder\./,
]

const positions = [
  [/^visual\.positional_embedding$/, 'grid'],
  [/^visual\.trunk\.pos_embed$/, 'grid'],
] as const

function dualEncoder(name: string, { image, text, ...c }: ClipConfig): DualEncoder {
  const { activation = gelu, embedding, sigmoid } = c
  const trunkIgnore = image.kind === 'timm' ? (image.trunk.names.ignore ?? []) : []
  const declareScale = (w: ParameterScope): void => {
    w.get('logit_scale', [], 'scale')
    if (sigmoid) w.get('logit_bias', [], 'bias')
  }
  return {
    kind: 'dual',
    family: 'clip',
    names: { architecture: name, rename, ignore: [...ignore, ...trunkIgnore], positions },
    embeddingWidth: embedding,
    tokenizer: c.tokenizer,
    prompt: 'This is a photo of a {}',
    encodeImage: (w, pixels) =>
      imageTower(w.at('visual'), pixels, { image, activation, embedding }),
    encodeText: (w, tokens, mask) => {
      declareScale(w) // parameters of the checkpoint that embeddings do not depend on
      return textTower(w, { tokens, mask }, { text, activation, embedding })
    },
    logitScale: sigmoid ? 'checkpoint' : 100,
  }
}

export const clips: Record<string, DualEncoder> = Object.fromEntries(
  Object.entries(rows).map(([name, config]) => [name, dualEncoder(name, config)]),
)
