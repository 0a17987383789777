/** CoaT, co-scale transformers with convolutional positions (Xu et al. 2021), as timm's coat.py computes them. */
import { type Tensor, type ParameterScope, shapeError } from '../../lib/onnx/graph.ts'
import { fusedProjection, joinHeads, splitHeads } from '../../lib/onnx/blocks/attention.ts'
import { conv, depthwiseConv, linear } from '../../lib/onnx/blocks/linear.ts'
import { mlp } from '../../lib/onnx/blocks/mlp.ts'
import { layerNorm } from '../../lib/onnx/blocks/norm.ts'
import { toTokens, patchTokens, prependTokens, toImage } from '../../lib/onnx/blocks/tokens.ts'
import {
  add,
  concat,
  matmul,
  mul,
  pick,
  reshape,
  resize,
  slice,
  softmax,
  split,
  sum,
  transpose,
} from '../../lib/onnx/ops.ts'
import { fixedSize, sizeAt } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

type PerStage = readonly [number, number, number, number]

interface CoatConfig {
  depths: PerStage
  widths: PerStage
  /** Widths inside the MLPs over the tokens'. */
  ratios: PerStage
  /** Blocks after the four stages in which the last three exchange their tokens. */
  parallel: number
}

const ratios: PerStage = [4, 4, 4, 4]
const exchanging = { depths: [2, 2, 2, 2], ratios, parallel: 6 } as const
const lite = { ratios: [8, 8, 4, 4], parallel: 0 } as const
const medium = { depths: [3, 6, 10, 8], widths: [128, 256, 320, 512], ratios, parallel: 0 } as const

const rows: Rows<CoatConfig> = {
  coat_tiny: { ...exchanging, widths: [152, 152, 152, 152] },
  coat_mini: { ...exchanging, widths: [152, 216, 216, 216] },
  coat_small: { ...exchanging, widths: [152, 320, 320, 320] },
  coat_lite_tiny: { ...lite, depths: [2, 2, 2, 2], widths: [64, 128, 256, 320] },
  coat_lite_mini: { ...lite, depths: [2, 2, 2, 2], widths: [64, 128, 320, 512] },
  coat_lite_small: { ...lite, depths: [3, 4, 6, 3], widths: [64, 128, 320, 512] },
  coat_lite_medium: medium,
  coat_lite_medium_384: medium,
}

const heads = 8

/** A stage's tokens [n, 1 + rows · columns, width], the class token first. */
interface Stage {
  x: Tensor
  size: readonly [rows: number, columns: number]
  /** The stage's number in the names, from 1. */
  place: number
  /** Width inside its MLPs over the tokens'. */
  ratio: number
}

/** image [n, 3, h, w] -> features [n, last width], logits [n, classes] */
const coat: ClassifierBuilder<CoatConfig> = (w, image, c) => {
  let stages: Stage[] = []
  let grid = image
  for (const [i, width] of c.widths.entries()) {
    let stage = embed(w, grid, { place: i + 1, width, ratio: c.ratios[i]! })
    for (const block of w.each(`serial_blocks${i + 1}`, c.depths[i]!))
      stage = coatBlock(w, block, [stage])[0]!
    stages.push(stage)
    grid = toImage(patchTokens(stage.x, 1), stage.size)
  }
  stages = stages.slice(c.parallel > 0 ? 1 : 3)
  for (const block of w.each('parallel_blocks', c.parallel)) stages = coatBlock(w, block, stages)
  const tokens = stages.map(({ x, place }) => slice(layerNorm(w.at(`norm${place}`), x), 1, [0, 1]))
  const features = c.parallel > 0 ? weigh(w.at('aggregate'), tokens) : pick(tokens[0]!, 1, 0)
  return linearHead(w.at('head'), features, c.classes)
}

/** The sum of three tokens [n, 1, width] with learned factors, and a summand: [n, width]. */
function weigh(w: ParameterScope, tokens: readonly Tensor[]): Tensor {
  const count = tokens.length
  const factors = reshape(w.get('weight', [1, count, 1]), [count, 1])
  return add(sum(mul(concat(tokens, 1), factors), [1]), w.get('bias', [1], 'bias'))
}

function embed(
  w: ParameterScope,
  image: Tensor,
  { width, ...stage }: Pick<Stage, 'place' | 'ratio'> & { width: number },
): Stage {
  const layers = w.at(`patch_embed${stage.place}`)
  const kernel = stage.place === 1 ? 4 : 2
  const grid = conv(layers.at('proj'), image, { out: width, kernel, stride: kernel, bias: true })
  const [high, wide] = grid.shape.slice(2).map(size => fixedSize(size, 'coat'))
  const patches = layerNorm(layers.at('norm'), toTokens(grid), 1e-5)
  const x = prependTokens(w.get(`cls_token${stage.place}`, [1, 1, width]), patches)
  return { ...stage, x, size: [high!, wide!] }
}

/**
 * Positions, attention and an MLP in one stage, or in the last three side by side: each then adds the others' attention too,
 * resized to its own grid. What all blocks of a stage share is in the scope `shared`.
 */
function coatBlock(shared: ParameterScope, w: ParameterScope, stages: readonly Stage[]): Stage[] {
  const alone = stages.length === 1
  const own = (name: string, { place }: Stage): ParameterScope =>
    w.at(alone ? name : `${name}${place}`)
  const placed = stages.map(stage => ({
    ...stage,
    x: placePatches(shared.at(`cpe${stage.place}`), stage),
  }))
  const attended = placed.map(stage => {
    const normal = { ...stage, x: layerNorm(own('norm1', stage), stage.x) }
    const positions = shared.at(`crpe${stage.place}`)
    return { ...stage, x: factorAttention(own('factoratt_crpe', stage), positions, normal) }
  })
  return placed.map(stage => {
    const seen = attended.map(other => resizePatches(other, stage))
    const y = seen.reduce((total, part) => add(total, part), stage.x)
    const hidden = stage.ratio * sizeAt(y, 2)
    const inner = mlp(w.at(alone ? 'mlp' : 'mlp2'), layerNorm(own('norm2', stage), y), { hidden })
    return { ...stage, x: add(y, inner) }
  })
}

/** Applies a function of images to the patches; the class token stays. */
function overPatches({ x, size }: Stage, change: (image: Tensor) => Tensor): Tensor {
  const image = change(toImage(patchTokens(x, 1), size))
  return concat([slice(x, 1, [0, 1]), toTokens(image)], 1)
}

/** Adds each patch's position as its neighbours tell it, by a depthwise convolution. */
const placePatches = (w: ParameterScope, stage: Stage): Tensor =>
  overPatches(stage, image =>
    add(image, depthwiseConv(w.at('proj'), image, { kernel: 3, bias: true })),
  )

function resizePatches(stage: Stage, { place, size }: Stage): Tensor {
  if (place === stage.place) return stage.x
  if (stage.size[0] * 2 ** (stage.place - place) !== size[0])
    throw shapeError('coat', 'the grids of the stages are no halves of each other')
  return overPatches(stage, image =>
    resize(image, [...image.shape.slice(0, 2), ...size], { mode: 'linear' }),
  )
}

/**
 * Attention by the product of keys and values first, with relative positions by depthwise convolutions of the values: 3 × 3
 * for two heads, 5 × 5 and 7 × 7 for three each. Returns [n, length, width].
 */
function factorAttention(w: ParameterScope, positions: ParameterScope, { x, size }: Stage): Tensor {
  const width = sizeAt(x, 2)
  const length = sizeAt(x, 1)
  const [q, k, v] = fusedProjection(w, x)
  const [queries, keys] = [splitHeads(q, heads), splitHeads(k, heads)]
  const context = matmul(transpose(softmax(keys, 2), [0, 1, 3, 2]), splitHeads(v, heads))
  const attended = mul(matmul(queries, context), (width / heads) ** -0.5)
  const channels = [2, 3, 3].map(count => (count * width) / heads)
  const parts = split(toImage(patchTokens(v, 1), size), channels, 1)
  const local = concat(
    parts.map((part, i) =>
      depthwiseConv(positions.at(`conv_list.${i}`), part, { kernel: 3 + 2 * i, bias: true }),
    ),
    1,
  )
  const relative = mul(slice(queries, 2, [1, length]), splitHeads(toTokens(local), heads))
  const patches = add(slice(attended, 2, [1, length]), relative)
  const mixed = concat([slice(attended, 2, [0, 1]), patches], 2)
  return linear(w.at('proj'), joinHeads(mixed), width)
}

/** timm's checkpoints hold what blocks share once for each block. */
const names = {
  rename: [
    [/^serial_blocks(\d)\.\d+\.cpe\./, 'cpe$1.'],
    [/^serial_blocks(\d)\.\d+\.factoratt_crpe\.crpe\./, 'crpe$1.'],
    [/^parallel_blocks\.\d+\.factoratt_crpe(\d)\.crpe\./, 'crpe$1.'],
    [/^(parallel_blocks\.\d+\.mlp)[34]\./, '$12.'],
  ] as const,
  tied: [/^cr?pe\d\./, /^parallel_blocks\.\d+\.mlp2\./],
}

export const coats = classifiers({ family: 'coat', rows, build: coat, names })
