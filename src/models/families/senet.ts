/** The authors' SENets (Hu et al. 2017), as timm's senet.py computes them: Caffe's paddings, under names of their own. */
import { type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import { convNorm, squeezeExcite } from '../../lib/onnx/blocks/convNorm.ts'
import { add, relu } from '../../lib/onnx/ops.ts'
import { channelsOf } from '../../lib/onnx/shapes.ts'
import { type NameTable } from '../../lib/tensors/bindWeights.ts'
import { type Rows, classifiers } from './family.ts'
import { resnet, type ResidualBlockSettings, type ResNetConfig, shortcut } from './resnet.ts'

const ceil = { stemPool: 'ceil' } as const
const basicNet = (depths: readonly number[]): ResNetConfig => ({ ...ceil, block: basic, depths })
const bottleneckNet = (depths: readonly number[]): ResNetConfig => ({
  ...ceil,
  block: bottleneck,
  depths,
})
const x32x4 = { groups: 32, groupWidth: 4 }

const rows: Rows<ResNetConfig> = {
  legacy_seresnet18: basicNet([2, 2, 2, 2]),
  legacy_seresnet34: basicNet([3, 4, 6, 3]),
  legacy_seresnet50: bottleneckNet([3, 4, 6, 3]),
  legacy_seresnet101: bottleneckNet([3, 4, 23, 3]),
  legacy_seresnet152: bottleneckNet([3, 8, 36, 3]),
  legacy_seresnext26_32x4d: { ...bottleneckNet([2, 2, 2, 2]), ...x32x4 },
  legacy_seresnext50_32x4d: { ...bottleneckNet([3, 4, 6, 3]), ...x32x4 },
  legacy_seresnext101_32x4d: { ...bottleneckNet([3, 4, 23, 3]), ...x32x4 },
  legacy_senet154: {
    ...bottleneckNet([3, 8, 36, 3]),
    groups: 64,
    groupWidth: 4,
    stem: [64, 64, 128],
    downKernel: 3,
    reduceFirst: 2,
  },
}

function basic(w: ParameterScope, x: Tensor, c: ResidualBlockSettings): Tensor {
  const layer = { out: c.width, kernel: 3 }
  const y = relu(convNorm(w, x, { ...layer, stride: c.stride, names: ['conv1', 'bn1'] }))
  const z = relu(convNorm(w, y, { ...layer, names: ['conv2', 'bn2'] }))
  return gatedSum(w, z, { ...c, x })
}

/** A bottleneck that subsamples in its first convolution, or in its second if that has groups. */
function bottleneck(w: ParameterScope, x: Tensor, c: ResidualBlockSettings): Tensor {
  const { groups = 1, groupWidth = 64, stride } = c
  const inner = Math.floor((c.width * groupWidth) / 64) * groups
  const [first, second] = groups === 1 ? [stride, 1] : [1, stride]
  const narrow = { out: inner / (c.reduceFirst ?? 1), stride: first }
  const middle = { out: inner, kernel: 3, stride: second, groups }
  const y = relu(convNorm(w, x, { ...narrow, names: ['conv1', 'bn1'] }))
  const z = relu(convNorm(w, y, { ...middle, names: ['conv2', 'bn2'] }))
  return gatedSum(w, convNorm(w, z, { out: 4 * c.width, names: ['conv3', 'bn3'] }), { ...c, x })
}

function gatedSum(
  w: ParameterScope,
  y: Tensor,
  { x, ...c }: ResidualBlockSettings & { x: Tensor },
): Tensor {
  const out = channelsOf(y)
  const gated = squeezeExcite(w.at('se'), y, { inner: Math.floor(out / 16) })
  return relu(add(gated, shortcut(w.at('downsample'), x, { ...c, out })))
}

/** The published names, and those of the layers of a stem of three convolutions. */
const names = ({ stem }: ResNetConfig): NameTable => ({
  rename: [
    [/^layer0\.conv1\./, stem ? 'conv1.0.' : 'conv1.'],
    [/^layer0\.bn1\./, stem ? 'conv1.1.' : 'bn1.'],
    [/^layer0\.conv2\./, 'conv1.3.'],
    [/^layer0\.bn2\./, 'conv1.4.'],
    [/^layer0\.conv3\./, 'conv1.6.'],
    [/^layer0\.bn3\./, 'bn1.'],
    [/\.se_module\./, '.se.'],
    [/^last_linear\./, 'fc.'],
  ],
})

export const seNets = classifiers({ family: 'senet', rows, build: resnet, names })
