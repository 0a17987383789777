/** The towers and tokens of OpenCLIP's architectures, as its model configurations put them together. */
import { type Tensor } from '../../lib/onnx/graph.ts'
import { geluTanh } from '../../lib/onnx/ops.ts'
import { type ClipViT, type ImageTower } from './clipImage.ts'
import { type NativeText, type TextTower, type TransformersText } from './clipText.ts'
import { convNexts } from './convnext.ts'
import { evas } from './eva.ts'
import { type TokenizerSettings } from './family.ts'
import { fastViTs } from './fastvit.ts'
import { vitamins } from './vitamin.ts'
import { vits } from './vit.ts'

/** An image tower and a text tower. */
export interface ClipConfig {
  /** Width of the shared space. */
  embedding: number
  image: ImageTower
  text: TextTower
  tokenizer: TokenizerSettings
  /** The activation of OpenCLIP's own towers, GELU by default. */
  activation?: (x: Tensor) => Tensor
  /** Whether the model was trained with a sigmoid in place of a softmax. */
  sigmoid?: boolean
}

/** OpenCLIP's Vision Transformer; its heads are 64 wide where `heads` says nothing else. */
export const viT = (patch: number, width: number, options: Partial<ClipViT> = {}): ClipViT => ({
  kind: 'vit',
  patch,
  width,
  blocks: width < 1024 ? 12 : 24,
  heads: width / 64,
  ...options,
})

export const resNet = (depths: readonly number[], width: number): ImageTower => ({
  kind: 'resnet',
  depths,
  width,
})

const trunks = { ...vits, ...evas, ...convNexts, ...vitamins, ...fastViTs }

/** A model of timm by its name, with its own head to the shared space, without one, or with one of OpenCLIP's. */
export const timmTower = (name: string, head: 'own' | 'none' | 'linear' | 'mlp'): ImageTower => ({
  kind: 'timm',
  trunk: trunks[name]!,
  head,
})

/** OpenAI's text tower at some width. */
export const clipText = (width: number, options: Partial<NativeText> = {}): NativeText => ({
  kind: 'native',
  width,
  heads: width / 64,
  blocks: width < 1024 ? 12 : 24,
  vocabulary: 49_408,
  positions: 77,
  causal: true,
  pool: 'highest',
  projection: 'matrix',
  epsilon: 1e-5,
  ...options,
})

const clipTokens: TokenizerSettings = {
  contextLength: 77,
  cleaning: 'lower',
  padding: 0,
  repository: 'openai/clip-vit-base-patch32',
}

/** An image tower beside OpenCLIP's own text tower with CLIP's vocabulary. */
export const clip = (embedding: number, image: ImageTower, text: NativeText): ClipConfig => ({
  embedding,
  image,
  text,
  tokenizer: {
    ...clipTokens,
    contextLength: text.pool === 'class' ? text.positions - 1 : text.positions,
    padded: text.pool === 'class' || !text.causal,
  },
})

/** CoCa's towers; its decoder of captions is not used. */
export const coca = (embedding: number, image: ClipViT): ClipConfig =>
  clip(embedding, { ...image, pool: 'queries' }, clipText(embedding, { pool: 'class' }))

/** CLIPA's towers, with BERT's word pieces without their end tokens. */
export const clipa = (embedding: number, image: ClipViT, text: NativeText): ClipConfig => ({
  embedding,
  image: { ...image, pool: 'mean' },
  text: { ...text, vocabulary: 32_000, positions: 32, causal: false, pool: 'last' },
  tokenizer: {
    contextLength: 32,
    cleaning: 'whitespace',
    padding: 0,
    padded: true,
    dropped: '[SEP]',
    repository: 'google-bert/bert-base-uncased',
  },
})

/** The tokens of vocabularies in fairseq's order: start 0, padding 1, end 2. */
const fairseqTokens = (repository: string): TokenizerSettings => ({
  contextLength: 77,
  cleaning: 'whitespace',
  padding: 1,
  repository,
})

/** MetaCLIP's worldwide towers with XLM-V's vocabulary. */
export const worldwide = (embedding: number, image: ClipViT, text: NativeText): ClipConfig => ({
  embedding,
  image,
  text: { ...text, vocabulary: 901_629, pool: 'end' },
  tokenizer: fairseqTokens('facebook/xlm-v-base'),
})

const robertaBase = { width: 768, heads: 12, blocks: 12, hidden: 3072, vocabulary: 50_265 }
const robertas = {
  'roberta-base': robertaBase,
  'xlm-roberta-base': { ...robertaBase, vocabulary: 250_002 },
  'xlm-roberta-large': { width: 1024, heads: 16, blocks: 24, hidden: 4096, vocabulary: 250_002 },
}

/** An image tower beside RoBERTa or XLM-R. */
export const withRoberta = (
  embedding: number,
  image: ClipViT,
  name: keyof typeof robertas,
): ClipConfig => ({
  embedding,
  image,
  text: { kind: 'roberta', ...robertas[name] },
  tokenizer: fairseqTokens(`FacebookAI/${name}`),
})

const nllbBase = { width: 1024, heads: 16, vocabulary: 256_206 }
const nllbs = {
  '600M': { ...nllbBase, blocks: 12, hidden: 4096 },
  '1.3B': { ...nllbBase, blocks: 24, hidden: 8192 },
} satisfies Record<string, Omit<TransformersText, 'kind'>>

/** An image tower beside the encoder of NLLB-200; texts are taken as English. */
export const withNllb = (
  embedding: number,
  image: ImageTower,
  size: keyof typeof nllbs,
): ClipConfig => ({
  embedding,
  image,
  text: { kind: 'nllb', ...nllbs[size] },
  tokenizer: { ...fairseqTokens(`facebook/nllb-200-distilled-${size}`), language: 'eng_Latn' },
  sigmoid: image.kind === 'timm',
})

/** The vocabularies of SigLIP's texts. */
const siglipVocabularies = {
  english: { vocabulary: 32_000, padding: 1, repository: 'timm/ViT-B-16-SigLIP' },
  multilingual: { vocabulary: 250_000, padding: 1, repository: 'timm/ViT-B-16-SigLIP-i18n-256' },
  gemma: { vocabulary: 256_000, padding: 0, repository: 'timm/ViT-B-16-SigLIP2' },
}

export interface SigLipTowers {
  /** Name of timm's model. */
  image: string
  vocabulary: keyof typeof siglipVocabularies
  /** Width of the text tower. */
  width: number
  /** Width of the shared space, that of the text tower by default. */
  embedding?: number
  text?: Partial<NativeText>
}

/** SigLIP's towers: every token of a text sees every other and the padding; the last one's row is the text's. */
export function siglip(c: SigLipTowers): ClipConfig {
  const { vocabulary, ...tokens } = siglipVocabularies[c.vocabulary]
  const text = clipText(c.width, {
    vocabulary,
    positions: 64,
    causal: false,
    pool: 'last',
    projection: 'linear',
    epsilon: 1e-6,
    ...(c.width === 1152 ? { heads: 16, blocks: 27, hidden: 4304 } : {}),
    ...(c.vocabulary === 'gemma' ? { activation: geluTanh } : {}),
    ...c.text,
  })
  return {
    embedding: c.embedding ?? c.width,
    image: timmTower(c.image, 'none'),
    text,
    tokenizer: { ...tokens, contextLength: text.positions, cleaning: 'canonicalize', padded: true },
    sigmoid: true,
  }
}
