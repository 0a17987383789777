/**
 * Inception-v3 (Szegedy et al. 2015), Inception-v4 and Inception-ResNet-v2 (Szegedy et al. 2016), as timm's inception_v3.py,
 * inception_v4.py and inception_resnet_v2.py compute them.
 *
 * A branch is a line of layers: `64` is a 1 × 1 convolution to 64 channels, `96_3` one of 3 × 3 and `192_1x7` of 1 × 7, each
 * with norm and activation; `96_3v` does not pad, `96_3/2` does not pad and subsamples; `256_1x3|256_3x1` is two of one
 * input side by side. `max` is a pooling that subsamples, `avg` one that keeps the size, `avg0` the same with padding counted.
 */
import { type Block, type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import { convNorm } from '../../lib/onnx/blocks/convNorm.ts'
import { conv } from '../../lib/onnx/blocks/linear.ts'
import { add, avgPool, avgPoolWithPadding, concat, maxPool, mul, relu } from '../../lib/onnx/ops.ts'
import { channelsOf } from '../../lib/onnx/shapes.ts'
import { type ClassifierBuilder, classifiers, pooledHead } from './family.ts'

type Branches = Readonly<Record<string, string>>

/** Branches under the names `branch0`, `branch1`, … */
const numbered = (...branches: readonly string[]): Branches =>
  Object.fromEntries(branches.map((branch, i) => [`branch${i}`, branch]))

const pools: Record<string, (x: Tensor) => Tensor> = {
  max: x => maxPool(x, 3, { stride: 2 }),
  avg: x => avgPool(x, 3, { padding: 1 }),
  avg0: x => avgPoolWithPadding(x, 3, { padding: 1 }),
}

/** One convolution in the notation above. */
const convolution: Block<string> = (w, x, notation) => {
  const [, out, height, width = height, mode] = /^(\d+)(?:_(\d)(?:x(\d))?(v|\/2)?)?$/.exec(
    notation,
  )!
  const kernel = [Number(height ?? 1), Number(width ?? 1)] as const
  const unpadded = mode === undefined ? {} : { padding: 0, stride: mode === 'v' ? 1 : 2 }
  return relu(convNorm(w, x, { out: Number(out), kernel, epsilon: 1e-3, ...unpadded }))
}

/** Applies layers one after the other; `nameOf` names a convolution by its place among all layers. */
function chain(
  x: Tensor,
  layers: readonly string[],
  scopeOf: (layer: number, part: string) => ParameterScope,
): Tensor {
  return layers.reduce((y, layer, i) => {
    const pool = pools[layer]
    if (pool) return pool(y)
    const parts = layer.split('|')
    if (parts.length === 1) return convolution(scopeOf(i, ''), y, layer)
    return concat(
      parts.map((part, j) => convolution(scopeOf(i, 'ab'[j]!), y, part)),
      1,
    )
  }, x)
}

/** How a checkpoint names the layers of a branch of several convolutions. */
type LayerNames = 'dotted' | 'from one'

/** Joins the results of branches of x; layers are named as timm's three files do. */
const inception: Block<{ branches: Branches; names?: LayerNames }> = (
  w,
  x,
  { branches, names = 'dotted' },
) => {
  const results = Object.entries(branches).map(([branch, text]) => {
    const layers = text.split(' ')
    const scopeOf = (layer: number, part: string): ParameterScope => {
      if (layers.length === 1 || (names === 'from one' && layers[0] === 'avg0')) return w.at(branch)
      if (names === 'from one') return w.at(`${branch}_${layer + 1}${part}`)
      return w.at(`${branch}${text.includes('|') ? '_' : '.'}${layer}${part}`)
    }
    return chain(x, layers, scopeOf)
  })
  return concat(results, 1)
}

const v3Small = (pooled: number): Branches => ({
  branch1x1: '64',
  branch5x5: '48 64_5',
  branch3x3dbl: '64 96_3 96_3',
  branch_pool: `avg0 ${pooled}`,
})
const v3Factorized = (inner: number): Branches => ({
  branch1x1: '192',
  branch7x7: `${inner} ${inner}_1x7 192_7x1`,
  branch7x7dbl: `${inner} ${inner}_7x1 ${inner}_1x7 ${inner}_7x1 192_1x7`,
  branch_pool: 'avg0 192',
})
const v3Wide: Branches = {
  branch1x1: '320',
  branch3x3: '384 384_1x3|384_3x1',
  branch3x3dbl: '448 384_3 384_1x3|384_3x1',
  branch_pool: 'avg0 192',
}
const v3Modules: Readonly<Record<string, Branches>> = {
  '5b': v3Small(32),
  '5c': v3Small(64),
  '5d': v3Small(64),
  '6a': { branch3x3: '384_3/2', branch3x3dbl: '64 96_3 96_3/2', branch_pool: 'max' },
  '6b': v3Factorized(128),
  '6c': v3Factorized(160),
  '6d': v3Factorized(160),
  '6e': v3Factorized(192),
  '7a': {
    branch3x3: '192 320_3/2',
    branch7x7x3: '192 192_1x7 192_7x1 192_3/2',
    branch_pool: 'max',
  },
  '7b': v3Wide,
  '7c': v3Wide,
}

/** image [n, 3, h, w] -> features [n, 2048], logits [n, classes] */
const inceptionV3: ClassifierBuilder<object> = (w, image, c) => {
  const stem = ['1a_3x3', '2a_3x3', '2b_3x3', '', '3b_1x1', '4a_3x3']
  const layers = ['32_3/2', '32_3v', '64_3', 'max', '80', '192_3v', 'max']
  let x = chain(image, layers, i => w.at(`Conv2d_${stem[i]!}`))
  for (const [name, branches] of Object.entries(v3Modules))
    x = inception(w.at(`Mixed_${name}`), x, { branches, names: 'from one' })
  return pooledHead(w.at('fc'), x, c.classes)
}

const repeated = (count: number, branches: Branches): Branches[] =>
  Array<Branches>(count).fill(branches)

const v4Modules: readonly Branches[] = [
  { maxpool: 'max', conv: '96_3/2' },
  numbered('64 96_3v', '64 64_1x7 64_7x1 96_3v'),
  { conv: '192_3/2', maxpool: 'max' },
  ...repeated(4, numbered('96', '64 96_3', '64 96_3 96_3', 'avg 96')),
  numbered('384_3/2', '192 224_3 256_3/2', 'max'),
  ...repeated(
    7,
    numbered('384', '192 224_1x7 256_7x1', '192 192_7x1 224_1x7 224_7x1 256_1x7', 'avg 128'),
  ),
  numbered('192 192_3/2', '256 256_1x7 320_7x1 320_3/2', 'max'),
  ...repeated(
    3,
    numbered('256', '384 256_1x3|256_3x1', '384 448_3x1 512_1x3 256_1x3|256_3x1', 'avg 256'),
  ),
]

/** image [n, 3, h, w] -> features [n, 1536], logits [n, classes] */
const inceptionV4: ClassifierBuilder<object> = (w, image, c) => {
  const stem = ['32_3/2', '32_3v', '64_3']
  let x = chain(image, stem, i => w.at(`features.${i}`))
  for (const [i, branches] of v4Modules.entries())
    x = inception(w.at(`features.${stem.length + i}`), x, { branches })
  return pooledHead(w.at('last_linear'), x, c.classes)
}

interface ResidualInception {
  branches: Branches
  scale: number
  activation?: (x: Tensor) => Tensor
}

const block35 = { branches: numbered('32', '32 32_3', '32 48_3 64_3'), scale: 0.17 }
const block17 = { branches: numbered('192', '128 160_1x7 192_7x1'), scale: 0.1 }
const block8 = { branches: numbered('192', '192 224_1x3 256_3x1'), scale: 0.2 }

/** Adds the branches, brought to x's width and scaled down, to x. */
const residualInception: Block<ResidualInception> = (w, x, c) => {
  const { branches, scale, activation = relu } = c
  const out = channelsOf(x)
  const y = conv(w.at('conv2d'), inception(w, x, { branches }), { out, bias: true })
  return activation(add(mul(y, scale), x))
}

/** image [n, 3, h, w] -> features [n, 1536], logits [n, classes] */
const inceptionResNetV2: ClassifierBuilder<object> = (w, image, c) => {
  const residuals = (name: string, x: Tensor, [count, block]: [number, ResidualInception]) =>
    w.each(name, count).reduce((y, scope) => residualInception(scope, y, block), x)
  const reduced = (name: string, x: Tensor, ...branches: string[]) =>
    inception(w.at(name), x, { branches: numbered(...branches) })
  const stem = ['1a', '2a', '2b', '', '3b', '4a']
  const layers = ['32_3/2', '32_3v', '64_3', 'max', '80', '192_3v', 'max']
  let x = chain(image, layers, i => w.at(`conv2d_${stem[i]!}`))
  x = reduced('mixed_5b', x, '96', '48 64_5', '64 96_3 96_3', 'avg 64')
  x = residuals('repeat', x, [10, block35])
  x = reduced('mixed_6a', x, '384_3/2', '256 256_3 384_3/2', 'max')
  x = residuals('repeat_1', x, [20, block17])
  x = reduced('mixed_7a', x, '256 384_3/2', '256 288_3/2', '256 288_3 320_3/2', 'max')
  x = residuals('repeat_2', x, [9, block8])
  x = residualInception(w.at('block8'), x, { ...block8, scale: 1, activation: y => y })
  return pooledHead(w.at('classif'), convolution(w.at('conv2d_7b'), x, '1536'), c.classes)
}

/** torchvision's file of Inception-v3 holds a second classifier that only training uses. */
const names = () => ({ ignore: [/^AuxLogits\./] })

export const inceptions = {
  ...classifiers({ family: 'inception', rows: { inception_v3: {} }, build: inceptionV3, names }),
  ...classifiers({ family: 'inception', rows: { inception_v4: {} }, build: inceptionV4 }),
  ...classifiers({
    family: 'inception',
    rows: { inception_resnet_v2: {} },
    build: inceptionResNetV2,
  }),
}
