/**
 * RegNetX and RegNetY (Radosavovic et al. 2020), RegNetZ (Dollár et al. 2021) and RegNetV, RegNetY with norms first, as
 * timm's regnet.py computes them, and SEER (Goyal et al. 2022), RegNetY under transformers' names.
 */
import { type Block, type Dim, type Tensor } from '../../lib/onnx/graph.ts'
import { convNorm, divisibleWidth, squeezeExcite } from '../../lib/onnx/blocks/convNorm.ts'
import { conv } from '../../lib/onnx/blocks/linear.ts'
import { batchNorm } from '../../lib/onnx/blocks/norm.ts'
import { add, avgPool, relu, silu } from '../../lib/onnx/ops.ts'
import { fixedSize } from '../../lib/onnx/shapes.ts'
import { type NameTable } from '../../lib/tensors/bindWeights.ts'
import { type Rows, type ClassifierBuilder, classifiers, pooledHead } from './family.ts'
import { roundHalfEven } from './rounding.ts'

/** Block widths follow `initial` + `slope` · i, quantized to powers of `ratio` and multiples of 8 and of `group`. */
interface RegNetConfig {
  initial: number
  slope: number
  ratio: number
  depth: number
  group: number
  /** RegNetY: squeeze-and-excitation with a quarter of the block's input channels. */
  squeeze: boolean
  /** torchvision's rounding of widths to multiples of the group, which loses at most a tenth. */
  torchvisionRounding?: boolean
  activation?: (x: Tensor) => Tensor
  /** RegNetV: norms and activations before the convolutions. */
  normFirst?: boolean
  /** Shortcuts that average before a 1 × 1 convolution. */
  averageDown?: boolean
  /** RegNetZ: inner channels of a block over its own; its blocks end without activation and have no projecting shortcut. */
  expand?: number
  /** Channels of a last 1 × 1 convolution. */
  head?: number
}

type Row = readonly [initial: number, slope: number, ratio: number, depth: number, group: number]

function regnetX([initial, slope, ratio, depth, group]: Row): RegNetConfig {
  return { initial, slope, ratio, depth, group, squeeze: false }
}

const regnetY = (numbers: Row): RegNetConfig => ({ ...regnetX(numbers), squeeze: true })

const normFirst = { activation: silu, normFirst: true }
const regnetZ: RegNetConfig = { ...regnetY([48, 14.5, 2.226, 28, 8]), activation: silu, expand: 4 }

const rows: Rows<RegNetConfig> = {
  regnetx_002: regnetX([24, 36.44, 2.49, 13, 8]),
  regnetx_004: regnetX([24, 24.48, 2.54, 22, 16]),
  regnetx_004_tv: { ...regnetX([24, 24.48, 2.54, 22, 16]), torchvisionRounding: true },
  regnetx_006: regnetX([48, 36.97, 2.24, 16, 24]),
  regnetx_008: regnetX([56, 35.73, 2.28, 16, 16]),
  regnetx_016: regnetX([80, 34.01, 2.25, 18, 24]),
  regnetx_032: regnetX([88, 26.31, 2.25, 25, 48]),
  regnetx_040: regnetX([96, 38.65, 2.43, 23, 40]),
  regnetx_064: regnetX([184, 60.83, 2.07, 17, 56]),
  regnetx_080: regnetX([80, 49.56, 2.88, 23, 120]),
  regnetx_120: regnetX([168, 73.36, 2.37, 19, 112]),
  regnetx_160: regnetX([216, 55.59, 2.1, 22, 128]),
  regnetx_320: regnetX([320, 69.86, 2.0, 23, 168]),
  regnety_002: regnetY([24, 36.44, 2.49, 13, 8]),
  regnety_004: regnetY([48, 27.89, 2.09, 16, 8]),
  regnety_006: regnetY([48, 32.54, 2.32, 15, 16]),
  regnety_008: regnetY([56, 38.84, 2.4, 14, 16]),
  regnety_008_tv: { ...regnetY([56, 38.84, 2.4, 14, 16]), torchvisionRounding: true },
  regnety_016: regnetY([48, 20.71, 2.65, 27, 24]),
  regnety_032: regnetY([80, 42.63, 2.66, 21, 24]),
  regnety_040: regnetY([96, 31.41, 2.24, 22, 64]),
  regnety_064: regnetY([112, 33.22, 2.27, 25, 72]),
  regnety_080: regnetY([192, 76.82, 2.19, 17, 56]),
  regnety_080_tv: { ...regnetY([192, 76.82, 2.19, 17, 56]), torchvisionRounding: true },
  regnety_120: regnetY([168, 73.36, 2.37, 19, 112]),
  regnety_160: regnetY([200, 106.23, 2.48, 18, 112]),
  regnety_320: regnetY([232, 115.89, 2.53, 20, 232]),
  regnety_640: regnetY([352, 147.48, 2.4, 20, 328]),
  regnety_1280: regnetY([456, 160.83, 2.52, 27, 264]),
  regnety_2560: regnetY([640, 230.83, 2.53, 27, 373]),
  regnetv_040: { ...regnetY([96, 31.41, 2.24, 22, 64]), ...normFirst },
  regnetv_064: { ...regnetY([112, 33.22, 2.27, 25, 72]), ...normFirst, averageDown: true },
  regnetz_040: regnetZ,
  regnetz_040_h: { ...regnetZ, head: 1536 },
}

const seerRows: Rows<RegNetConfig> = {
  seer320: rows.regnety_320!,
  seer640: rows.regnety_640!,
  seer1280: rows.regnety_1280!,
}

/** Returns the depth, width and group size of each stage. */
function stagesOf(c: RegNetConfig): { depth: number; out: number; group: number }[] {
  const { expand = 1 } = c
  const widths = Array.from({ length: c.depth }, (_, i) => {
    const power = roundHalfEven(Math.log((c.initial + c.slope * i) / c.initial) / Math.log(c.ratio))
    return roundHalfEven((c.initial * c.ratio ** power) / 8) * 8
  })
  return [...new Set(widths)].map(width => {
    const inner = width * expand
    const group = Math.min(c.group, inner)
    const rounded = c.torchvisionRounding
      ? divisibleWidth(inner, { divisor: group, limit: 0.9 })
      : roundHalfEven(inner / group) * group
    return { depth: widths.filter(other => other === width).length, out: rounded / expand, group }
  })
}

/** image [n, 3, h, w] -> features [n, width], logits [n, classes] */
const regnet: ClassifierBuilder<RegNetConfig> = (w, image, c) => {
  const { activation = relu } = c
  const stem = { out: 32, kernel: 3, stride: 2 }
  let x = c.normFirst
    ? conv(w.at('stem'), image, { ...stem, padding: 1 })
    : activation(convNorm(w.at('stem'), image, stem))
  const block = c.normFirst ? normFirstBlock : bottleneck
  for (const [stage, { depth, ...sizes }] of stagesOf(c).entries()) {
    for (let i = 0; i < depth; i++)
      x = block(w.at(`s${stage + 1}.b${i + 1}`), x, { ...c, ...sizes, stride: i === 0 ? 2 : 1 })
  }
  if (c.head !== undefined) x = activation(convNorm(w.at('final_conv'), x, { out: c.head }))
  else if (c.normFirst || c.expand !== undefined) x = activation(x)
  return pooledHead(w.at('head.fc'), x, c.classes)
}

type BlockSettings = RegNetConfig & { out: number; stride: number }

const bottleneck: Block<BlockSettings> = (w, x, c) => {
  const { out, stride, activation = relu } = c
  const inner = out * (c.expand ?? 1)
  let y = activation(convNorm(w.at('conv1'), x, { out: inner }))
  const groups = inner / c.group
  y = activation(convNorm(w.at('conv2'), y, { out: inner, kernel: 3, stride, groups }))
  y = convNorm(w.at('conv3'), gated(w, y, { ...c, width: x.shape[1]! }), { out })
  const keepsShape = stride === 1 && x.shape[1] === out
  if (c.expand !== undefined) return keepsShape ? add(y, x) : y
  return activation(add(y, keepsShape ? x : convNorm(w.at('downsample'), x, { out, stride })))
}

const normFirstBlock: Block<BlockSettings> = (w, x, c) => {
  const { out, stride, activation = relu } = c
  const shortcut = activation(batchNorm(w.at('norm1'), x))
  let y = conv(w.at('conv1'), shortcut, { out })
  const groups = out / c.group
  y = activation(batchNorm(w.at('norm2'), y))
  y = conv(w.at('conv2'), y, { out, kernel: 3, stride, groups, padding: 1 })
  y = activation(batchNorm(w.at('norm3'), gated(w, y, { ...c, width: x.shape[1]! })))
  y = conv(w.at('conv3'), y, { out })
  if (stride === 1 && x.shape[1] === out) return add(y, shortcut)
  const down = w.at('downsample')
  if (!c.averageDown) return add(y, conv(down, shortcut, { out, stride }))
  return add(y, conv(down.at(1), avgPool(shortcut, 2, { stride, ceil: true }), { out }))
}

/** The inner channels of a block through its gate, which is a quarter as wide as the block's input of `width` channels. */
const gated: Block<BlockSettings & { width: Dim }> = (w, y, c) => {
  if (!c.squeeze) return y
  const inner = roundHalfEven(fixedSize(c.width, 'regnet') / 4)
  return squeezeExcite(w.at('se'), y, { inner, activation: c.activation })
}

const layerNames: Record<string, string> = {
  'shortcut.convolution': 'downsample.conv',
  'shortcut.normalization': 'downsample.bn',
  'layer.0.convolution': 'conv1.conv',
  'layer.0.normalization': 'conv1.bn',
  'layer.1.convolution': 'conv2.conv',
  'layer.1.normalization': 'conv2.bn',
  'layer.2.attention.0': 'se.fc1',
  'layer.2.attention.2': 'se.fc2',
  'layer.3.convolution': 'conv3.conv',
  'layer.3.normalization': 'conv3.bn',
}

/** transformers' RegNetForImageClassification counts stages and blocks from zero. */
const names = (c: RegNetConfig): NameTable => ({
  rename: [
    [/^regnet\.embedder\.embedder\.convolution\./, 'stem.conv.'],
    [/^regnet\.embedder\.embedder\.normalization\./, 'stem.bn.'],
    [/^classifier\.1\./, 'head.fc.'],
    ...stagesOf(c).flatMap(({ depth }, stage) =>
      Array.from({ length: depth }, (_, i) =>
        Object.entries(layerNames).map(([theirs, ours]) => {
          const pattern = `^regnet.encoder.stages.${stage}.layers.${i}.${theirs}.`.replaceAll(
            '.',
            '\\.',
          )
          return [new RegExp(pattern), `s${stage + 1}.b${i + 1}.${ours}.`] as const
        }),
      ).flat(),
    ),
  ],
})

export const regnets = classifiers({ family: 'regnet', rows, build: regnet })
export const seers = classifiers({ family: 'seer', rows: seerRows, build: regnet, names })
