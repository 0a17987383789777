/** CLIP (Radford et al. 2021) and OpenCLIP (Ilharco et al. 2021), as OpenCLIP's model.py computes them. */
import { constant, type Graph, type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import { convNextTrunk, type ConvNextConfig } from '../../lib/onnx/blocks/convnext.ts'
import { unbiasedLinear } from '../../lib/onnx/blocks/linear.ts'
import { mlp } from '../../lib/onnx/blocks/mlp.ts'
import { layerNorm } from '../../lib/onnx/blocks/norm.ts'
import { patchEmbed, prependTokens } from '../../lib/onnx/blocks/tokens.ts'
import { transformer } from '../../lib/onnx/blocks/transformer.ts'
import {
  add,
  gather,
  gatherPerRow,
  gelu,
  matmul,
  pick,
  quickGelu,
  reshape,
  slice,
  topK,
} from '../../lib/onnx/ops.ts'
import { fixedSize } from '../../lib/onnx/shapes.ts'
import { clipResNet, type ClipResNetConfig } from './clipResNet.ts'
import { convNextBase, convNextLarge } from './convnext.ts'
import { type DualEncoder, type ArchitectureRows } from './family.ts'

interface ClipViTConfig {
  patch: number
  width: number
  blocks: number
  heads: number
  hidden?: number
}

/** An image tower (one of `resnet`, `vit` and `convnext`) and a transformer for texts. */
interface ClipConfig {
  embedding: number
  resnet?: ClipResNetConfig
  vit?: ClipViTConfig
  convnext?: ConvNextConfig & { head: 'linear' | 'mlp' }
  text: { width: number; heads: number; blocks: number }
  activation: (x: Tensor) => Tensor
}

const contextLength = 77
const vocabulary = 49408
const epsilon = 1e-5

/** Returns the model with the exact GELU and, as `NAME-quickgelu`, with OpenAI's approximation. */
const withBothActivations = (
  name: string,
  config: Omit<ClipConfig, 'activation'>,
): ArchitectureRows<ClipConfig> => ({
  [`clip:${name}`]: { ...config, activation: gelu },
  [`clip:${name}-quickgelu`]: { ...config, activation: quickGelu },
})

const smallText = { width: 512, heads: 8, blocks: 12 }

const rows: ArchitectureRows<ClipConfig> = {
  ...withBothActivations('RN50', {
    embedding: 1024,
    resnet: { depths: [3, 4, 6, 3], width: 64 },
    text: smallText,
  }),
  ...withBothActivations('RN101', {
    embedding: 512,
    resnet: { depths: [3, 4, 23, 3], width: 64 },
    text: smallText,
  }),
  ...withBothActivations('ViT-B-32', {
    embedding: 512,
    vit: { patch: 32, width: 768, blocks: 12, heads: 12 },
    text: smallText,
  }),
  ...withBothActivations('ViT-B-16', {
    embedding: 512,
    vit: { patch: 16, width: 768, blocks: 12, heads: 12 },
    text: smallText,
  }),
  ...withBothActivations('ViT-L-14', {
    embedding: 768,
    vit: { patch: 14, width: 1024, blocks: 24, heads: 16 },
    text: { width: 768, heads: 12, blocks: 12 },
  }),
  ...withBothActivations('ViT-H-14', {
    embedding: 1024,
    vit: { patch: 14, width: 1280, blocks: 32, heads: 16 },
    text: { width: 1024, heads: 16, blocks: 24 },
  }),
  'clip:ViT-g-14': {
    embedding: 1024,
    vit: { patch: 14, width: 1408, blocks: 40, heads: 16, hidden: 6144 },
    text: { width: 1024, heads: 16, blocks: 24 },
    activation: gelu,
  },
  'clip:convnext_base': {
    embedding: 512,
    convnext: { ...convNextBase, head: 'linear' },
    text: smallText,
    activation: gelu,
  },
  'clip:convnext_base_w': {
    embedding: 640,
    convnext: { ...convNextBase, head: 'linear' },
    text: { width: 640, heads: 10, blocks: 12 },
    activation: gelu,
  },
  'clip:convnext_large_d': {
    embedding: 768,
    convnext: { ...convNextLarge, head: 'mlp' },
    text: { width: 768, heads: 12, blocks: 16 },
    activation: gelu,
  },
}

/** image [n, 3, h, w] -> [n, embedding] */
function imageTower(w: ParameterScope, image: Tensor, c: ClipConfig): Tensor {
  if (c.resnet) return clipResNet(w, image, { ...c.resnet, embedding: c.embedding })
  if (c.vit) return vit(w, image, { ...c, ...c.vit })
  const features = convNextTrunk(w.at('trunk'), image, c.convnext!)
  if (c.convnext!.head === 'linear') return unbiasedLinear(w.at('head.proj'), features, c.embedding)
  return mlp(w.at('head.mlp'), features, {
    hidden: 2 * c.embedding,
    out: c.embedding,
    outBias: false,
  })
}

function vit(
  w: ParameterScope,
  image: Tensor,
  v: ClipViTConfig & Pick<ClipConfig, 'activation' | 'embedding'>,
): Tensor {
  const token = reshape(w.get('class_embedding', [v.width]), [1, 1, v.width])
  const x = prependTokens(
    token,
    patchEmbed(w.at('conv1'), image, { patch: v.patch, dim: v.width, bias: false }),
  )
  const placed = add(x, w.get('positional_embedding', [fixedSize(x.shape[1], 'vit'), v.width]))
  const { heads, activation, hidden = 4 * v.width } = v
  const block = { heads, activation, epsilon, hidden }
  const y = transformer(
    w.each('transformer.resblocks', v.blocks),
    layerNorm(w.at('ln_pre'), placed, epsilon),
    block,
  )
  return matmul(
    layerNorm(w.at('ln_post'), pick(y, 1, 0), epsilon),
    w.get('proj', [v.width, v.embedding]),
  )
}

/** tokens int64 [n, length], at most 77 -> [n, embedding], read at each text's end token, whose number is the highest. */
function textTower(
  w: ParameterScope,
  tokens: Tensor,
  { text, activation, embedding }: ClipConfig,
): Tensor {
  const { width, heads, blocks } = text
  const length = fixedSize(tokens.shape[1], 'textTower')
  w.get('logit_scale', [], 'scale') // a parameter of the checkpoint that the graph does not use
  const words = gather(w.at('token_embedding').get('weight', [vocabulary, width]), tokens)
  const x = add(words, slice(w.get('positional_embedding', [contextLength, width]), 0, [0, length]))
  const block = { heads, activation, epsilon, mask: causalMask(w.graph, length) }
  const y = transformer(w.each('transformer.resblocks', blocks), x, block)
  const atEnd = gatherPerRow(y, topK(tokens, 1).indices)
  return matmul(
    layerNorm(w.at('ln_final'), atEnd, epsilon),
    w.get('text_projection', [width, embedding]),
  )
}

/** Returns [length, length], which lets a token attend to itself and its predecessors: 0 there, else minus infinity. */
function causalMask(graph: Graph, length: number): Tensor {
  const values = Float32Array.from({ length: length * length }, (_, i) =>
    i % length > Math.floor(i / length) ? -Infinity : 0,
  )
  return constant(graph, values, [length, length])
}

const names: DualEncoder['names'] = {
  rename: [
    [/\.ln_([12])\./, '.norm$1.'],
    [/\.attn\.in_proj_(weight|bias)$/, '.attn.qkv.$1'],
    [/\.attn\.out_proj\./, '.attn.proj.'],
    [/\.mlp\.c_fc\./, '.mlp.fc1.'],
    [/\.mlp\.c_proj\./, '.mlp.fc2.'],
  ],
  ignore: [/^(input_resolution|context_length|vocab_size)$/],
}

export const clips: Record<string, DualEncoder> = Object.fromEntries(
  Object.entries(rows).map(([name, c]) => [
    name,
    {
      kind: 'dual',
      family: 'clip',
      names,
      embeddingWidth: c.embedding,
      contextLength,
      textCleaning: 'clip',
      prompt: 'This is a photo of a {}',
      encodeImage: (w, image) => imageTower(w.at('visual'), image, c),
      encodeText: (w, tokens) => textTower(w, tokens, c),
      logitScale: 100,
    },
  ]),
)
