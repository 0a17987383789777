/**
 * Text towers of OpenCLIP: its own transformer (transformer.py), RoBERTa (Liu et al. 2019) with XLM-R's vocabularies
 * (Conneau et al. 2019), and the encoder of NLLB (NLLB Team 2022), as transformers computes them.
 */
import {
  type Layer,
  constant,
  type Graph,
  type Tensor,
  type ParameterScope,
} from '../../lib/onnx/graph.ts'
import { paddingMask, selfAttention, separateProjection } from '../../lib/onnx/blocks/attention.ts'
import { linear, unbiasedLinear } from '../../lib/onnx/blocks/linear.ts'
import { mlp } from '../../lib/onnx/blocks/mlp.ts'
import { layerNorm } from '../../lib/onnx/blocks/norm.ts'
import { repeatTokens } from '../../lib/onnx/blocks/tokens.ts'
import { transformer } from '../../lib/onnx/blocks/transformer.ts'
import {
  add,
  cast,
  concat,
  div,
  gather,
  gatherPerRow,
  gelu,
  matmul,
  min,
  mul,
  neg,
  pick,
  relu,
  reshape,
  slice,
  sub,
  sum,
  topK,
} from '../../lib/onnx/ops.ts'
import { sizeAt } from '../../lib/onnx/shapes.ts'

/** OpenCLIP's own text tower. */
export interface NativeText {
  kind: 'native'
  width: number
  heads: number
  blocks: number
  /** Width inside the MLP, four times `width` by default. */
  hidden?: number
  vocabulary: number
  /** Rows of the position table. */
  positions: number
  /** Whether a token sees only itself and its predecessors. */
  causal: boolean
  /** The token whose row is the text's: the one of the highest id, the last, the first end token, or CoCa's appended one. */
  pool: 'highest' | 'last' | 'end' | 'class'
  /** The layer to the shared space: a matrix, a layer with bias, or none. */
  projection: 'matrix' | 'linear' | 'none'
  epsilon: number
  /** GELU of the MLPs, where it is not the architecture's. */
  activation?: (x: Tensor) => Tensor
}

/** A text tower of transformers. */
export interface TransformersText {
  kind: 'roberta' | 'nllb'
  width: number
  heads: number
  blocks: number
  hidden: number
  vocabulary: number
}

export type TextTower = NativeText | TransformersText

interface TextSettings {
  embedding: number
  activation: (x: Tensor) => Tensor
}

/** tokens and mask int64 [n, length] -> [n, embedding] */
export function textTower(
  w: ParameterScope,
  { tokens, mask }: { tokens: Tensor; mask: Tensor },
  c: TextSettings & { text: TextTower },
): Tensor {
  const settings = { ...c, length: sizeAt(tokens, 1) }
  if (c.text.kind === 'native') return nativeText(w, { tokens, mask }, { ...settings, ...c.text })
  const build = c.text.kind === 'roberta' ? robertaText : nllbText
  return build(w, { tokens, mask }, { ...settings, ...c.text })
}

interface Texts {
  tokens: Tensor
  mask: Tensor
}

function nativeText(
  w: ParameterScope,
  { tokens, mask }: Texts,
  c: TextSettings & NativeText & { length: number },
): Tensor {
  const { width, heads, hidden, epsilon, activation } = c
  const words = gather(w.at('token_embedding').get('weight', [c.vocabulary, width]), tokens)
  const appended = c.pool === 'class'
  const token = (): Tensor => reshape(w.get('cls_emb', [width]), [1, 1, width])
  const x = appended ? concat([words, repeatTokens(token(), words)], 1) : words
  const length = c.length + (appended ? 1 : 0)
  const placed = add(x, slice(w.get('positional_embedding', [c.positions, width]), 0, [0, length]))
  const causal = c.causal ? causalMask(w.graph, length) : undefined
  const block = {
    heads,
    hidden,
    epsilon,
    activation,
    mask: appended ? add(causal!, paddingMask(shiftedMask(mask))) : causal,
  }
  const y = transformer(w.each('transformer.resblocks', c.blocks), placed, block)
  const pooled = layerNorm(w.at('ln_final'), pooledRow(y, tokens, c.pool), epsilon)
  if (c.projection === 'none') return pooled
  if (c.projection === 'linear') return linear(w.at('text_projection'), pooled, c.embedding)
  return matmul(pooled, w.get('text_projection', [width, c.embedding]))
}

/** The row of each text that stands for it: [n, length, width] to [n, width]. */
function pooledRow(x: Tensor, tokens: Tensor, pool: NativeText['pool']): Tensor {
  if (pool === 'highest') return gatherPerRow(x, topK(tokens, 1).indices)
  if (pool === 'end') {
    const distance = sub(cast(tokens, 'float32'), endToken)
    return gatherPerRow(x, topK(neg(min(mul(distance, distance), 1)), 1).indices)
  }
  return pick(x, 1, -1)
}

/** The end token of XLM-R's vocabularies. */
const endToken = 2

/**
 * The mask [n, length] of texts for the texts and the token appended to them, one place later than it should be: CoCa was
 * trained so, and the first token is never padding.
 */
const shiftedMask = (mask: Tensor): Tensor => concat([slice(mask, 1, [0, 1]), mask], 1)

/** Returns [length, length], which lets a token attend to itself and its predecessors: 0 there, else minus infinity. */
function causalMask(graph: Graph, length: number): Tensor {
  const values = Float32Array.from({ length: length * length }, (_, i) =>
    i % length > Math.floor(i / length) ? -Infinity : 0,
  )
  return constant(graph, values, [length, length])
}

type TransformersSettings = TextSettings & TransformersText & { length: number }

/** Positions are counted from the number of the padding token plus 1. */
const firstPosition = 2

/** RoBERTa's blocks, each with a norm after the sum; the text is the mean of its tokens, projected by two layers. */
function robertaText(w: ParameterScope, { tokens, mask }: Texts, c: TransformersSettings): Tensor {
  const { width, heads, hidden } = c
  const tower = w.at('transformer')
  const table = (name: string, rows: number): Tensor =>
    tower.at('embeddings').at(name).get('weight', [rows, width])
  const places = slice(table('position_embeddings', 514), 0, [
    firstPosition,
    firstPosition + c.length,
  ])
  const words = gather(table('word_embeddings', c.vocabulary), tokens)
  const x = add(add(words, table('token_type_embeddings', 1)), places)
  const norm: Layer = (scope, y) => layerNorm(scope, y, 1e-5)
  const attention = { heads, mask: paddingMask(mask), project: separateProjection }
  const y = tower.each('encoder.layer', c.blocks).reduce(
    (z, block) => {
      const mixed = norm(block.at('norm1'), add(z, selfAttention(block.at('attn'), z, attention)))
      return norm(block.at('norm2'), add(mixed, mlp(block.at('mlp'), mixed, { hidden })))
    },
    norm(tower.at('embeddings.LayerNorm'), x),
  )
  const weights = reshape(cast(mask, 'float32'), [mask.shape[0]!, c.length, 1])
  const pooled = div(sum(mul(y, weights), [1]), sum(weights, [1]))
  const inner = gelu(unbiasedLinear(w.at('proj.0'), pooled, (width + c.embedding) / 2))
  return unbiasedLinear(w.at('proj.2'), inner, c.embedding)
}

/** NLLB's encoder; the text is its first token, that of the language. */
function nllbText(w: ParameterScope, { tokens, mask }: Texts, c: TransformersSettings): Tensor {
  const { width, heads, hidden } = c
  const tower = w.at('transformer')
  const words = gather(tower.at('embed_tokens').get('weight', [c.vocabulary, width]), tokens)
  const x = add(mul(words, Math.sqrt(width)), sinusoids(w.graph, c))
  const y = transformer(tower.each('layers', c.blocks), x, {
    heads,
    hidden,
    epsilon: 1e-5,
    activation: relu,
    mask: paddingMask(mask),
    project: separateProjection,
  })
  const pooled = layerNorm(tower.at('norm'), pick(y, 1, 0), 1e-5)
  return unbiasedLinear(w.at('proj'), pooled, c.embedding)
}

/** Sines, then cosines [length, width] of positions times frequencies from 1 to 1 / 10,000, in float32. */
function sinusoids(graph: Graph, c: { length: number; width: number }): Tensor {
  const half = c.width / 2
  const step = Math.log(10_000) / (half - 1)
  const values = Float32Array.from({ length: c.length * c.width }, (_, i) => {
    const frequency = Math.fround(Math.exp(Math.fround((i % half) * -step)))
    const angle = Math.fround((firstPosition + Math.floor(i / c.width)) * frequency)
    return i % c.width < half ? Math.sin(angle) : Math.cos(angle)
  })
  return constant(graph, values, [c.length, c.width])
}
