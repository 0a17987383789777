/**
 * NASNet (Zoph et al. 2017) and PNASNet (Liu et al. 2017), as timm's nasnet.py and pnasnet.py compute them. A cell combines
 * the result of the cell before, `r`, and of the one before that, `l`: five times it adds two terms. A term is an operation
 * and its input, also an earlier sum by its number: `sep5 r` is two separable 5 × 5 convolutions of `r`.
 */
import { type Block, type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import { convNorm, samePadding } from '../../lib/onnx/blocks/convNorm.ts'
import { conv } from '../../lib/onnx/blocks/linear.ts'
import { batchNorm } from '../../lib/onnx/blocks/norm.ts'
import {
  add,
  avgPool,
  avgPoolWithPadding,
  concat,
  maxPool,
  pad2d,
  relu,
} from '../../lib/onnx/ops.ts'
import { channelsOf } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, pooledHead } from './family.ts'

interface CellKind {
  /** Terms of the five sums, apart by a comma. */
  sums: readonly string[]
  /** What the cell's result joins: sums by their numbers, or an input. */
  joins: readonly string[]
}

interface NasNetConfig {
  normal: CellKind
  reduction: CellKind
  stem: string
  /** Names of the cells with their widths; those in `reductions` halve the size. */
  cells: readonly (readonly [name: string, width: number])[]
  reductions: readonly string[]
  /** Whether the cell after a later reduction sees the input of the reduction's predecessor beside it. */
  skipsPredecessor?: boolean
  /** Where a cell keeps the layers that halve its older input. */
  halvedAt?: string
}

const cellsOf = (first: number, count: number, width: number): [string, number][] =>
  Array.from({ length: count }, (_, i) => [`cell_${first + i}`, width])

const pnasSums = [
  'sep5 l, max l',
  'sep7 r, max r',
  'sep5 r, sep3 r',
  'sep3 2, max r',
  'sep3 l, same r',
]
const pnasCell = { sums: pnasSums, joins: ['0', '1', '2', '3', '4'] }

const rows: Rows<NasNetConfig> = {
  nasnetalarge: {
    normal: {
      sums: ['sep5 r, sep3 l', 'sep5 l, sep3 l', 'avg r, same l', 'avg l, avg l', 'sep3 r, same r'],
      joins: ['l', '0', '1', '2', '3', '4'],
    },
    reduction: {
      sums: ['sep5 r, sep7 l', 'max r, sep7 l', 'avg r, sep5 l', 'same 1, avg 0', 'sep3 0, max r'],
      joins: ['1', '2', '3', '4'],
    },
    stem: 'conv0',
    cells: [
      ['cell_stem_0', 42],
      ['cell_stem_1', 84],
      ...cellsOf(0, 6, 168),
      ['reduction_cell_0', 336],
      ...cellsOf(6, 6, 336),
      ['reduction_cell_1', 672],
      ...cellsOf(12, 6, 672),
    ],
    reductions: ['cell_stem_0', 'cell_stem_1', 'reduction_cell_0', 'reduction_cell_1'],
    skipsPredecessor: true,
  },
  pnasnet5large: {
    normal: pnasCell,
    reduction: pnasCell,
    stem: 'conv_0',
    cells: [
      ['cell_stem_0', 54],
      ['cell_stem_1', 108],
      ...cellsOf(0, 4, 216),
      ...cellsOf(4, 4, 432),
      ...cellsOf(8, 4, 864),
    ],
    reductions: ['cell_stem_0', 'cell_stem_1', 'cell_4', 'cell_8'],
    halvedAt: 'conv_prev_1x1',
  },
}

const epsilon = 1e-3

/** image [n, 3, h, w] -> features [n, width], logits [n, classes] */
const nasNet: ClassifierBuilder<NasNetConfig> = (w, image, c) => {
  const stem = { out: 96, kernel: 3, stride: 2, padding: 0, epsilon }
  let newest = convNorm(w.at(c.stem), image, stem)
  let older = newest
  for (const [name, width] of c.cells) {
    const reduces = c.reductions.includes(name)
    const settings = { ...c, ...(reduces ? c.reduction : c.normal), width, stride: reduces ? 2 : 1 }
    const result = cell(w.at(name), { newest, older }, settings)
    const keepsOlder = c.skipsPredecessor && name.startsWith('reduction')
    if (!keepsOlder) older = newest
    newest = result
  }
  return pooledHead(w.at('last_linear'), relu(newest), c.classes)
}

interface CellSettings extends CellKind, Pick<NasNetConfig, 'halvedAt'> {
  width: number
  stride: number
}

function cell(
  w: ParameterScope,
  { newest, older }: { newest: Tensor; older: Tensor },
  c: CellSettings,
): Tensor {
  const out = c.width
  const values = new Map([['r', activatedConv(w.at('conv_1x1'), newest, { out, stride: 1 })]])
  if (older.shape[2] !== newest.shape[2])
    values.set('l', halved(c.halvedAt === undefined ? w : w.at(c.halvedAt), older, out))
  else if (older === newest) values.set('l', older)
  else values.set('l', activatedConv(w.at('conv_prev_1x1'), older, { out, stride: 1 }))
  for (const [i, sum] of c.sums.entries()) {
    const [left, right] = sum.split(', ').map((term, side) => {
      const [operation, input] = term.split(' ') as [string, string]
      const stride = input === 'l' || input === 'r' ? c.stride : 1
      const scope = w.at(`comb_iter_${i}_${side === 0 ? 'left' : 'right'}`)
      return apply(scope, values.get(input)!, { ...c, operation, stride })
    })
    values.set(String(i), add(left!, right!))
  }
  return concat(
    c.joins.map(name => values.get(name)!),
    1,
  )
}

const apply: Block<Pick<CellSettings, 'width' | 'stride'> & { operation: string }> = (w, x, c) => {
  const { operation, stride, width: out } = c
  const padding = samePadding(x, { kernel: 3, stride })
  switch (operation) {
    case 'same':
      return stride === 1 ? x : activatedConv(w, x, { out, stride })
    case 'max': {
      const y = maxPool(x, 3, { stride, padding })
      return y.shape[1] === out ? y : convNorm(w, y, { out, epsilon })
    }
    case 'avg':
      return (stride === 1 ? avgPool : avgPoolWithPadding)(x, 3, { stride, padding })
    default: {
      const kernel = Number(operation.slice(3))
      return [stride, 1].reduce((y, step, i) => {
        const layers = w.at(`separable_${i + 1}`)
        const groups = channelsOf(y)
        const window = { kernel, stride: step, padding: samePadding(y, { kernel, stride: step }) }
        const spatial = conv(layers.at('depthwise_conv2d'), relu(y), {
          out: groups,
          groups,
          ...window,
        })
        const mixed = conv(layers.at('pointwise_conv2d'), spatial, { out })
        return batchNorm(w.at(`bn_sep_${i + 1}`), mixed, epsilon)
      }, x)
    }
  }
}

const activatedConv: Block<{ out: number; stride: number }> = (w, x, { out, stride }) =>
  convNorm(w, relu(x), { out, stride, epsilon })

/** Halves x by two paths, over every second position and over those between them, each to half of the channels. */
const halved: Block<number> = (w, x, out) => {
  const y = relu(x)
  const every = (z: Tensor): Tensor => maxPool(z, 1, { stride: 2 })
  const even = conv(w.at('path_1.conv'), every(y), { out: out / 2 })
  const odd = conv(w.at('path_2.conv'), every(pad2d(y, [-1, -1, 1, 1])), { out: out / 2 })
  return batchNorm(w.at('final_path_bn'), concat([even, odd], 1), epsilon)
}

export const nasNets = classifiers({ family: 'nasnet', rows, build: nasNet })
