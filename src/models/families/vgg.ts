/** VGG (Simonyan and Zisserman 2014), as timm's vgg.py computes it: its first dense layers are convolutions. */
import { type Block } from '../../lib/onnx/graph.ts'
import { conv } from '../../lib/onnx/blocks/linear.ts'
import { batchNorm } from '../../lib/onnx/blocks/norm.ts'
import { maxPool, relu } from '../../lib/onnx/ops.ts'
import { type Rows, type ClassifierBuilder, classifiers, pooledHead } from './family.ts'

interface VggConfig {
  /** Convolutions of each of the five stages. */
  depths: readonly number[]
  /** Whether every convolution of a stage has batch normalization. */
  norm?: boolean
}

const depths = {
  11: [1, 1, 2, 2, 2],
  13: [2, 2, 2, 2, 2],
  16: [2, 2, 3, 3, 3],
  19: [2, 2, 4, 4, 4],
}

const rows: Rows<VggConfig> = {
  vgg11: { depths: depths[11] },
  vgg13: { depths: depths[13] },
  vgg16: { depths: depths[16] },
  vgg19: { depths: depths[19] },
  vgg11_bn: { depths: depths[11], norm: true },
  vgg13_bn: { depths: depths[13], norm: true },
  vgg16_bn: { depths: depths[16], norm: true },
  vgg19_bn: { depths: depths[19], norm: true },
}

const widths = [64, 128, 256, 512, 512]

/** image [n, 3, h, w] with h, w of at least 224 -> features [n, 4096], logits [n, classes] */
const vgg: ClassifierBuilder<VggConfig> = (w, image, c) => {
  let x = image
  let layer = 0
  for (const [stage, depth] of c.depths.entries()) {
    for (let i = 0; i < depth; i++, layer += c.norm ? 3 : 2)
      x = convolution(w.at('features'), x, { layer, out: widths[stage]!, norm: c.norm })
    x = maxPool(x, 2, { stride: 2 })
    layer += 1
  }
  x = relu(conv(w.at('pre_logits.fc1'), x, { out: 4096, kernel: 7, bias: true }))
  x = relu(conv(w.at('pre_logits.fc2'), x, { out: 4096, bias: true }))
  return pooledHead(w.at('head.fc'), x, c.classes)
}

const convolution: Block<{ layer: number; out: number; norm: boolean | undefined }> = (
  w,
  x,
  { layer, out, norm },
) => {
  const y = conv(w.at(layer), x, { out, kernel: 3, padding: 1, bias: true })
  return relu(norm ? batchNorm(w.at(layer + 1), y) : y)
}

export const vggs = classifiers({ family: 'vgg', rows, build: vgg })
