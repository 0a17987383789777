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
import { textTower } from './clipText.ts'
import {
  clip,
  clipa,
  type ClipConfig,
  clipText,
  coca,
  resNet,
  siglip,
  timmTower,
  viT,
  withNllb,
  withRoberta,
  worldwide,
} from './clipTowers.ts'
import { type ArchitectureRows, type DualEncoder } from './family.ts'

/** Returns the rows of models that differ in their image size alone: `NAME NAME-336`. */
const named = (names: string, config: ClipConfig): ArchitectureRows<ClipConfig> =>
  Object.fromEntries(names.split(' ').map(name => [`clip:${name}`, config]))

/** Returns the rows with the exact GELU and, as `NAME-quickgelu`, with OpenAI's approximation. */
const inBothWays = (names: string, config: ClipConfig): ArchitectureRows<ClipConfig> => ({
  ...named(names, config),
  ...named(names.replaceAll(/(?= |$)/g, '-quickgelu'), { ...config, activation: quickGelu }),
})

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
const short = { positions: 32 }
const base32 = viT(32, 768)

const rows: ArchitectureRows<ClipConfig> = {
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

  ...named('convnext_base', clip(512, timmTower('convnext_base', 'linear'), text512)),
  ...named(
    'convnext_base_w convnext_base_w_320',
    clip(640, timmTower('convnext_base', 'linear'), text640),
  ),
  ...named(
    'convnext_large_d convnext_large_d_320',
    clip(768, timmTower('convnext_large', 'mlp'), clipText(768, { blocks: 16 })),
  ),
  ...named('convnext_xxlarge', clip(1024, timmTower('convnext_xxlarge', 'linear'), text1024)),
  ...named('EVA01-g-14', clip(1024, timmTower('eva_giant_patch14_clip_224', 'own'), text768)),
  ...named('EVA01-g-14-plus', clip(1024, timmTower('eva_giant_patch14_clip_224', 'own'), text1024)),
  ...named('EVA02-B-16', clip(512, timmTower('eva02_base_patch16_clip_224', 'own'), text512)),
  ...named(
    'EVA02-L-14 EVA02-L-14-336',
    clip(768, timmTower('eva02_large_patch14_clip_224', 'own'), text768),
  ),
  ...named('EVA02-E-14', clip(1024, timmTower('eva02_enormous_patch14_clip_224', 'own'), text1024)),
  ...named(
    'EVA02-E-14-plus',
    clip(1024, timmTower('eva02_enormous_patch14_clip_224', 'own'), text1280),
  ),
  ...named('MobileCLIP-B MobileCLIP2-B', clip(512, timmTower('vit_base_mci_224', 'own'), text512)),
  ...named('MobileCLIP2-S0', clip(512, timmTower('fastvit_mci0', 'own'), seen512)),
  ...named('MobileCLIP-S1', clip(512, timmTower('fastvit_mci1', 'own'), seen512)),
  ...named('MobileCLIP-S2 MobileCLIP2-S2', clip(512, timmTower('fastvit_mci2', 'own'), seen512)),
  ...named('MobileCLIP2-S3', clip(768, timmTower('fastvit_mci3', 'own'), seen768)),
  ...named('MobileCLIP2-S4', clip(768, timmTower('fastvit_mci4', 'own'), seen768)),
  ...named('MobileCLIP2-L-14', clip(768, timmTower('vit_large_patch14_clip_224', 'own'), seen768)),
  ...named('ViTamin-S', clip(384, timmTower('vitamin_small_224', 'linear'), clipText(384))),
  ...named('ViTamin-S-LTT', clip(768, timmTower('vitamin_small_224', 'linear'), text768)),
  ...named('ViTamin-B', clip(512, timmTower('vitamin_base_224', 'linear'), text512)),
  ...named('ViTamin-B-LTT', clip(768, timmTower('vitamin_base_224', 'linear'), text768)),
  ...named(
    'ViTamin-L ViTamin-L-256 ViTamin-L-336 ViTamin-L-384',
    clip(768, timmTower('vitamin_large_224', 'linear'), text768),
  ),
  ...named(
    'ViTamin-L2 ViTamin-L2-256 ViTamin-L2-336 ViTamin-L2-384',
    clip(1024, timmTower('vitamin_large2_224', 'linear'), text1024),
  ),
  ...named(
    'ViTamin-XL-256 ViTamin-XL-336 ViTamin-XL-384',
    clip(
      1152,
      timmTower('vitamin_xlarge_256', 'linear'),
      clipText(1152, { heads: 16, blocks: 27 }),
    ),
  ),
  ...named(
    'PE-Core-T-16-384',
    clip(512, timmTower('vit_pe_core_tiny_patch16_384', 'own'), clipText(512, short)),
  ),
  ...named(
    'PE-Core-S-16-384',
    clip(512, timmTower('vit_pe_core_small_patch16_384', 'own'), clipText(512, short)),
  ),
  ...named(
    'PE-Core-B-16',
    clip(1024, timmTower('vit_pe_core_base_patch16_224', 'own'), clipText(1024, short)),
  ),
  ...named(
    'PE-Core-L-14-336',
    clip(1024, timmTower('vit_pe_core_large_patch14_336', 'own'), clipText(1024, short)),
  ),
  ...named(
    'PE-Core-bigG-14-448',
    clip(
      1280,
      timmTower('vit_pe_core_gigantic_patch14_448', 'own'),
      clipText(1280, { positions: 72 }),
    ),
  ),

  ...named(
    'ViT-B-16-SigLIP ViT-B-16-SigLIP-256 ViT-B-16-SigLIP-384 ViT-B-16-SigLIP-512',
    siglip({ image: 'vit_base_patch16_siglip_224', vocabulary: 'english', width: 768 }),
  ),
  ...named(
    'ViT-B-16-SigLIP-i18n-256',
    siglip({ image: 'vit_base_patch16_siglip_256', vocabulary: 'multilingual', width: 768 }),
  ),
  ...named(
    'ViT-L-16-SigLIP-256 ViT-L-16-SigLIP-384',
    siglip({ image: 'vit_large_patch16_siglip_256', vocabulary: 'english', width: 1024 }),
  ),
  ...named(
    'ViT-SO400M-14-SigLIP',
    siglip({
      image: 'vit_so400m_patch14_siglip_224',
      vocabulary: 'english',
      width: 1152,
      text: { positions: 16 },
    }),
  ),
  ...named(
    'ViT-SO400M-14-SigLIP-378 ViT-SO400M-14-SigLIP-384',
    siglip({ image: 'vit_so400m_patch14_siglip_378', vocabulary: 'english', width: 1152 }),
  ),
  ...named(
    'ViT-SO400M-16-SigLIP-i18n-256',
    siglip({
      image: 'vit_so400m_patch16_siglip_256',
      vocabulary: 'multilingual',
      width: 1152,
      text: { projection: 'none' },
    }),
  ),
  ...named(
    'ViT-B-32-SigLIP2-256',
    siglip({ image: 'vit_base_patch32_siglip_256', vocabulary: 'gemma', width: 768 }),
  ),
  ...named(
    'ViT-B-16-SigLIP2 ViT-B-16-SigLIP2-256 ViT-B-16-SigLIP2-384 ViT-B-16-SigLIP2-512',
    siglip({ image: 'vit_base_patch16_siglip_224', vocabulary: 'gemma', width: 768 }),
  ),
  ...named(
    'ViT-L-16-SigLIP2-256 ViT-L-16-SigLIP2-384',
    siglip({ image: 'vit_large_patch16_siglip_256', vocabulary: 'gemma', width: 1024 }),
  ),
  ...named(
    'ViT-L-16-SigLIP2-512',
    siglip({ image: 'vit_large_patch16_siglip_512', vocabulary: 'gemma', width: 1024 }),
  ),
  ...named(
    'ViT-SO400M-14-SigLIP2 ViT-SO400M-14-SigLIP2-378',
    siglip({ image: 'vit_so400m_patch14_siglip_224', vocabulary: 'gemma', width: 1152 }),
  ),
  ...named(
    'ViT-SO400M-16-SigLIP2-256 ViT-SO400M-16-SigLIP2-384 ViT-SO400M-16-SigLIP2-512',
    siglip({ image: 'vit_so400m_patch16_siglip_256', vocabulary: 'gemma', width: 1152 }),
  ),
  ...named(
    'ViT-gopt-16-SigLIP2-256 ViT-gopt-16-SigLIP2-384',
    siglip({
      image: 'vit_giantopt_patch16_siglip_256',
      vocabulary: 'gemma',
      width: 1152,
      embedding: 1536,
    }),
  ),
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
  /^(input_resolution|context_length|vocab_size)$/,
  /^text\.transformer\.embeddings\.position_ids$/,
  /^text\.transformer\.embed_positions\./,
  /^text_decoder\./,
]

function dualEncoder({ image, text, ...c }: ClipConfig): DualEncoder {
  const { activation = gelu, embedding, sigmoid } = c
  const trunkIgnore = image.kind === 'timm' ? (image.trunk.names?.ignore ?? []) : []
  const declareScale = (w: ParameterScope): void => {
    w.get('logit_scale', [], 'scale')
    if (sigmoid) w.get('logit_bias', [], 'bias')
  }
  return {
    kind: 'dual',
    family: 'clip',
    names: { rename, ignore: [...ignore, ...trunkIgnore] },
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
  Object.entries(rows).map(([name, config]) => [name, dualEncoder(config)]),
)
