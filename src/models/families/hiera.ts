/** Hiera (Ryali et al. 2023), also with windowed position tables (Bolya et al. 2023), as timm's hiera.py computes it. */
import { type NameTable } from '../../lib/tensors/bindWeights.ts'
import { type Block, type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import { attend, splitQkv } from '../../lib/onnx/blocks/attention.ts'
import { conv, linear } from '../../lib/onnx/blocks/linear.ts'
import { mlp } from '../../lib/onnx/blocks/mlp.ts'
import { layerNorm, layerScale } from '../../lib/onnx/blocks/norm.ts'
import { mergeWindows, partitionWindows } from '../../lib/onnx/blocks/windows.ts'
import { add, channelsLast, concat, max, mean, reshape, resize } from '../../lib/onnx/ops.ts'
import { fixedSize, sizeAt } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface HieraConfig {
  width: number
  heads: number
  depths: readonly number[]
  /**
   * The models trained with windowed position tables: a table of 16 × 16 places, resized, and one of a window, repeated;
   * they widen by pooling in two ways in place of a layer, and scale their branches.
   */
  windowed?: boolean
}

const rows: Rows<HieraConfig> = {
  hiera_tiny_224: { width: 96, heads: 1, depths: [1, 2, 7, 2] },
  hiera_small_224: { width: 96, heads: 1, depths: [1, 2, 11, 2] },
  hiera_base_224: { width: 96, heads: 1, depths: [2, 3, 16, 3] },
  hiera_base_plus_224: { width: 112, heads: 2, depths: [2, 3, 16, 3] },
  hiera_large_224: { width: 144, heads: 2, depths: [2, 6, 36, 4] },
  hiera_huge_224: { width: 256, heads: 4, depths: [2, 6, 36, 4] },
  hiera_small_abswin_256: { width: 96, heads: 1, depths: [1, 2, 11, 2], windowed: true },
}

/** Tokens a side of the first stage's windows, halved by each of the two stages behind it. */
const firstWindow = 8

/** image [n, 3, h, w] -> features [n, width of the last stage], logits [n, classes] */
const hiera: ClassifierBuilder<HieraConfig> = (w, image, c) => {
  const embed = { out: c.width, kernel: 7, stride: 4, padding: 3, bias: true }
  const patches = channelsLast(conv(w.at('patch_embed.proj'), image, embed))
  let x = add(patches, positions(w, patches, c))
  const blocks = w.each(
    'blocks',
    c.depths.reduce((sum, depth) => sum + depth, 0),
  )
  for (const [stage, depth] of c.depths.entries()) {
    for (const [i, scope] of blocks.splice(0, depth).entries()) {
      const pools = stage > 0 && i === 0
      const place = pools ? stage - 1 : stage
      const side = place < 2 ? firstWindow / 2 ** place : sizeAt(x, 1)
      const [out, heads] = [c.width, c.heads].map(first => first * 2 ** stage) as [number, number]
      x = hieraBlock(scope, x, { windowed: c.windowed === true, pools, side, out, heads })
    }
  }
  return linearHead(w.at('head.fc'), layerNorm(w.at('head.norm'), mean(x, [1, 2])), c.classes)
}

/** Returns the positions of a grid [n, h, w, width] as [1, h, w, width]. */
const positions: Block<HieraConfig> = (w, x, { width, windowed }) => {
  const [rows, columns] = [sizeAt(x, 1), sizeAt(x, 2)]
  if (!windowed)
    return reshape(w.get('pos_embed', [1, rows * columns, width]), [1, rows, columns, width])
  const whole = resize(w.get('pos_embed', [1, width, 16, 16]), [1, width, rows, columns], {
    mode: 'cubic',
    antialias: true,
  })
  const side = firstWindow
  const window = w.get('pos_embed_win', [1, width, side, side])
  const split = reshape(whole, [1, width, rows / side, side, columns / side, side])
  const placed = add(split, reshape(window, [1, width, 1, side, 1, side]))
  return channelsLast(reshape(placed, whole.shape))
}

interface BlockSettings {
  windowed: boolean
  /** Whether queries, and with them the grid, are halved. */
  pools: boolean
  /** Tokens a side of the windows that attention stays in. */
  side: number
  out: number
  heads: number
}

const hieraBlock: Block<BlockSettings> = (w, x, c) => {
  const scaled = (name: string, y: Tensor): Tensor => (c.windowed ? layerScale(w.at(name), y) : y)
  const normal = layerNorm(w.at('norm1'), x)
  const attended = attention(w.at('attn'), normal, c)
  const y = add(shortcut(w, { x, normal }, c), scaled('ls1', attended))
  return add(y, scaled('ls2', mlp(w.at('mlp'), layerNorm(w.at('norm2'), y), { hidden: 4 * c.out })))
}

function shortcut(
  w: ParameterScope,
  { x, normal }: Record<'x' | 'normal', Tensor>,
  c: BlockSettings,
): Tensor {
  if (!c.pools) return x
  if (c.windowed) return concat([halved(x, max), halved(x, mean)], -1)
  return halved(linear(w.at('proj'), normal, c.out), max)
}

/** Pools 2 × 2 neighbours of a grid [n, h, w, width]. */
function halved(x: Tensor, pool: typeof max): Tensor {
  const [n, rows, columns, width] = x.shape
  const [h, v] = [fixedSize(rows, 'halved') / 2, fixedSize(columns, 'halved') / 2]
  return pool(reshape(x, [n!, h, 2, v, 2, width!]), [2, 4])
}

/** Computes attention inside windows of a grid [n, h, w, width]; the result has half as many rows and columns where it pools. */
const attention: Block<BlockSettings> = (w, x, { side, pools, out, heads }) => {
  const [n, rows, columns] = x.shape
  const windows = partitionWindows(x, side)
  const count = windows.shape[0]!
  const [q, k, v] = splitQkv(linear(w.at('qkv'), windows, 3 * out))
  const left = pools ? side / 2 : side
  const queries = pools
    ? reshape(halved(reshape(q, [count, side, side, out]), max), [count, left * left, out])
    : q
  const mixed = linear(w.at('proj'), attend([queries, k, v], { heads }), out)
  const share = side / left
  const grid = [fixedSize(rows, 'hiera') / share, fixedSize(columns, 'hiera') / share]
  return mergeWindows(mixed, left, [n!, ...grid, out])
}

/** The names of the authors' checkpoints, and of the first windowed ones. */
const names: NameTable = {
  rename: [
    [/^head\.projection\./, 'head.fc.'],
    [/^(encoder_)?norm\./, 'head.norm.'],
    [/^pos_embed_abs$/, 'pos_embed'],
  ],
}

export const hieras = classifiers({ family: 'hiera', rows, build: hiera, names })
