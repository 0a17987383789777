/** Image towers of OpenCLIP: its own Vision Transformer (transformer.py) and ResNet, and timm's models (timm_model.py). */
import { type Block, type Tensor } from '../../lib/onnx/graph.ts'
import { attend } from '../../lib/onnx/blocks/attention.ts'
import { affine, linear, unbiasedLinear } from '../../lib/onnx/blocks/linear.ts'
import { mlp } from '../../lib/onnx/blocks/mlp.ts'
import { layerNorm } from '../../lib/onnx/blocks/norm.ts'
import {
  patchEmbed,
  patchTokens,
  prependTokens,
  repeatTokens,
} from '../../lib/onnx/blocks/tokens.ts'
import { transformer } from '../../lib/onnx/blocks/transformer.ts'
import { add, matmul, mean, pick, reshape, slice, split } from '../../lib/onnx/ops.ts'
import { sizeAt } from '../../lib/onnx/shapes.ts'
import { clipResNet, type ClipResNetConfig } from './clipResNet.ts'
import { type Classifier } from './family.ts'

/** OpenCLIP's own Vision Transformer. */
export interface ClipViT {
  kind: 'vit'
  patch: number
  width: number
  blocks: number
  heads: number
  /** Width inside the MLP, four times `width` by default. */
  hidden?: number
  /** What the image is: the class token (default), the mean of the patches, or the first of CoCa's queries. */
  pool?: 'token' | 'mean' | 'queries'
}

/** A model of timm, with its own head to the shared space, without one, or with one of OpenCLIP's. */
interface TimmTower {
  kind: 'timm'
  trunk: Classifier
  head: 'own' | 'none' | 'linear' | 'mlp'
}

export type ImageTower = ClipViT | ({ kind: 'resnet' } & ClipResNetConfig) | TimmTower

interface ImageSettings {
  embedding: number
  /** Activation of the Vision Transformer. */
  activation: (x: Tensor) => Tensor
}

/** image [n, 3, h, w] -> [n, embedding] */
export const imageTower: Block<ImageSettings & { image: ImageTower }> = (w, image, c) => {
  switch (c.image.kind) {
    case 'vit':
      return clipViT(w, image, { ...c, ...c.image })
    case 'resnet':
      return clipResNet(w, image, { ...c.image, embedding: c.embedding })
    case 'timm':
      return timmTower(w, image, { ...c.image, embedding: c.embedding })
  }
}

const timmTower: Block<TimmTower & { embedding: number }> = (w, image, c) => {
  const classes = c.head === 'own' ? c.embedding : 0
  const { logits } = c.trunk.build(w.at('trunk'), image, classes)
  if (c.head === 'linear') return unbiasedLinear(w.at('head.proj'), logits, c.embedding)
  if (c.head !== 'mlp') return logits
  const sizes = { hidden: 2 * c.embedding, out: c.embedding }
  return mlp(w.at('head.mlp'), logits, { ...sizes, outBias: false })
}

const epsilon = 1e-5

const clipViT: Block<ImageSettings & ClipViT> = (w, image, { pool = 'token', ...c }) => {
  const token = reshape(w.get('class_embedding', [c.width]), [1, 1, c.width])
  const patches = patchEmbed(w.at('conv1'), image, { patch: c.patch, dim: c.width, bias: false })
  const x = prependTokens(token, patches)
  const placed = add(x, w.get('positional_embedding', [sizeAt(x, 1), c.width]))
  const { heads, activation, hidden = 4 * c.width } = c
  const y = transformer(
    w.each('transformer.resblocks', c.blocks),
    pool === 'mean' ? placed : layerNorm(w.at('ln_pre'), placed, epsilon),
    { heads, activation, epsilon, hidden },
  )
  const pooled = {
    token: () => pick(y, 1, 0),
    mean: () => mean(patchTokens(y, 1), [1]),
    queries: () => queryPool(w.at('attn_pool'), y, c.embedding),
  }[pool]()
  const width = sizeAt(pooled, 1)
  return matmul(layerNorm(w.at('ln_post'), pooled, epsilon), w.get('proj', [width, c.embedding]))
}

/** Attention of the first of 256 learned queries, in 8 heads, over x [n, length, width]: [n, out]. */
const queryPool: Block<number> = (w, x, out) => {
  const query = layerNorm(w.at('ln_q'), slice(w.get('query', [256, out]), 0, [0, 1]), epsilon)
  const context = layerNorm(w.at('ln_k'), x, epsilon)
  const inner = w.at('attn')
  const biases = split(inner.get('qkv.bias', [3 * out], 'bias'), [out, out, out], 0)
  const [q, k, v] = (['q', 'k', 'v'] as const).map((name, i) => {
    const input = name === 'q' ? repeatTokens(reshape(query, [1, 1, out]), x) : context
    const from = sizeAt(input, -1)
    return affine(input, inner.get(`${name}_proj_weight`, [out, from]), biases[i])
  })
  const mixed = reshape(attend([q!, k!, v!], { heads: 8 }), [x.shape[0]!, out])
  return linear(inner.at('proj'), mixed, out)
}
