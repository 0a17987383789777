/** SelecSLS (Mehta et al. 2019), as timm's selecsls.py computes it. */
import { type Block, type Tensor } from '../../lib/onnx/graph.ts'
import { convNorm } from '../../lib/onnx/blocks/convNorm.ts'
import { concat, relu } from '../../lib/onnx/ops.ts'
import { type Rows, type ClassifierBuilder, classifiers, pooledHead } from './family.ts'

interface SelecSlsConfig {
  /** Channels inside the blocks of each stage, and of each block's result. */
  stages: readonly (readonly [inner: number, widths: readonly number[]])[]
  /** The last convolutions. */
  head: readonly { out: number; kernel: number; stride?: number }[]
}

const stages42: SelecSlsConfig['stages'] = [
  [64, [64, 128]],
  [144, [144, 288]],
  [304, [304, 480]],
]
const stages60: SelecSlsConfig['stages'] = [
  [64, [64, 128]],
  [128, [128, 128, 288]],
  [288, [288, 288, 288, 416]],
]
const head = (first: number, [third, last]: readonly [number, number]): SelecSlsConfig['head'] => [
  { out: first, kernel: 3, stride: 2 },
  { out: 1024, kernel: 3 },
  { out: third, kernel: 3, stride: 2 },
  { out: last, kernel: 1 },
]

const rows: Rows<SelecSlsConfig> = {
  selecsls42b: { stages: stages42, head: head(960, [1280, 1024]) },
  selecsls60: { stages: stages60, head: head(756, [1024, 1280]) },
  selecsls60b: { stages: stages60, head: head(756, [1280, 1024]) },
}

const names = ['0', '1'] as const

/** image [n, 3, h, w] -> features [n, width], logits [n, classes] */
const selecSls: ClassifierBuilder<SelecSlsConfig> = (w, image, c) => {
  let x = relu(convNorm(w.at('stem'), image, { out: 32, kernel: 3, stride: 2, names }))
  let block = 0
  for (const [inner, widths] of c.stages) {
    let first: Tensor | undefined
    for (const out of widths) {
      x = selectiveBlock(w.at(`features.${block++}`), x, { inner, out, first })
      first ??= x
    }
  }
  for (const [i, layer] of c.head.entries())
    x = relu(convNorm(w.at(`head.${i}`), x, { ...layer, names }))
  return pooledHead(w.at('fc'), x, c.classes)
}

interface SelectiveBlock {
  inner: number
  out: number
  /** The result of the stage's first block, which halves the size. */
  first: Tensor | undefined
}

const selectiveBlock: Block<SelectiveBlock> = (w, x, { inner, out, first }) => {
  const layer = (name: string, y: Tensor, c: { out: number; kernel: number; stride?: number }) =>
    relu(convNorm(w.at(name), y, { ...c, names }))
  const half = Math.floor(inner / 2)
  const one = layer('conv1', x, { out: inner, kernel: 3, stride: first ? 1 : 2 })
  const two = layer('conv3', layer('conv2', one, { out: inner, kernel: 1 }), {
    out: half,
    kernel: 3,
  })
  const three = layer('conv5', layer('conv4', two, { out: inner, kernel: 1 }), {
    out: half,
    kernel: 3,
  })
  const joined = concat([one, two, three, ...(first ? [first] : [])], 1)
  return layer('conv6', joined, { out, kernel: 1 })
}

export const selecSlses = classifiers({ family: 'selecsls', rows, build: selecSls })
