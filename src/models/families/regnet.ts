/**
 * RegNetX and RegNetY (Radosavovic et al. 2020), as timm's regnet.py computes them, and SEER (Goyal et al. 2022), the
 * same network under transformers' names.
 */
import { type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import { convNorm, squeezeExcite } from '../../lib/onnx/blocks/convNorm.ts'
import { linear } from '../../lib/onnx/blocks/linear.ts'
import { add, flatten, globalAvgPool, relu } from '../../lib/onnx/ops.ts'
import { fixedSize } from '../../lib/onnx/shapes.ts'
import { type NameTable } from '../../lib/tensors/bind.ts'
import { type ArchitectureRows, type ClassifierBuilder, classifiers } from './family.ts'
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
}

type RegNetNumbers = readonly [
  initial: number,
  slope: number,
  ratio: number,
  depth: number,
  group: number,
]

function regnetX([initial, slope, ratio, depth, group]: RegNetNumbers): RegNetConfig {
  return { initial, slope, ratio, depth, group, squeeze: false }
}

const regnetY = (numbers: RegNetNumbers): RegNetConfig => ({ ...regnetX(numbers), squeeze: true })

const rows: ArchitectureRows<RegNetConfig> = {
  regnetx_002: regnetX([24, 36.44, 2.49, 13, 8]),
  regnetx_004: regnetX([24, 24.48, 2.54, 22, 16]),
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
  regnety_016: regnetY([48, 20.71, 2.65, 27, 24]),
  regnety_032: regnetY([80, 42.63, 2.66, 21, 24]),
  regnety_040: regnetY([96, 31.41, 2.24, 22, 64]),
  regnety_064: regnetY([112, 33.22, 2.27, 25, 72]),
  regnety_080: regnetY([192, 76.82, 2.19, 17, 56]),
  regnety_120: regnetY([168, 73.36, 2.37, 19, 112]),
  regnety_160: regnetY([200, 106.23, 2.48, 18, 112]),
  regnety_320: regnetY([232, 115.89, 2.53, 20, 232]),
}

const seerRows: ArchitectureRows<RegNetConfig> = {
  seer320: rows.regnety_320!,
  seer640: regnetY([352, 147.48, 2.4, 20, 328]),
  seer1280: regnetY([456, 160.83, 2.52, 27, 264]),
}

/** Returns the depth, width and group size of each stage. */
function stagesOf({
  initial,
  slope,
  ratio,
  depth,
  group,
}: RegNetConfig): { depth: number; out: number; group: number }[] {
  const widths = Array.from({ length: depth }, (_, i) => {
    const power = roundHalfEven(Math.log((initial + slope * i) / initial) / Math.log(ratio))
    return roundHalfEven((initial * ratio ** power) / 8) * 8
  })
  return [...new Set(widths)].map(width => {
    const size = Math.min(group, width)
    const out = roundHalfEven(width / size) * size
    return { depth: widths.filter(other => other === width).length, out, group: size }
  })
}

/** image [n, 3, h, w] -> features [n, width], logits [n, classes] */
const regnet: ClassifierBuilder<RegNetConfig> = (w, image, c) => {
  let x = relu(convNorm(w.at('stem'), image, { out: 32, kernel: 3, stride: 2 }))
  for (const [stage, { depth, out, group }] of stagesOf(c).entries()) {
    for (let i = 0; i < depth; i++) {
      const stride = i === 0 ? 2 : 1
      x = bottleneck(w.at(`s${stage + 1}.b${i + 1}`), x, { out, stride, group, squeeze: c.squeeze })
    }
  }
  const features = flatten(globalAvgPool(x))
  return { features, logits: linear(w.at('head.fc'), features, c.classes) }
}

function bottleneck(
  w: ParameterScope,
  x: Tensor,
  { out, stride, group, squeeze }: { out: number; stride: number; group: number; squeeze: boolean },
): Tensor {
  const width = fixedSize(x.shape[1], 'bottleneck')
  let y = relu(convNorm(w.at('conv1'), x, { out }))
  y = relu(convNorm(w.at('conv2'), y, { out, kernel: 3, stride, groups: out / group }))
  if (squeeze) y = squeezeExcite(w.at('se'), y, { inner: roundHalfEven(width / 4) })
  y = convNorm(w.at('conv3'), y, { out })
  const shortcut =
    stride === 1 && width === out ? x : convNorm(w.at('downsample'), x, { out, stride })
  return relu(add(y, shortcut))
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
const seerNames = (c: RegNetConfig): NameTable => ({
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
export const seers = classifiers({
  family: 'seer',
  rows: seerRows,
  build: regnet,
  names: seerNames,
})
