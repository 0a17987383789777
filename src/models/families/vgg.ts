/** VGG (Simonyan and Zisserman 2014), as timm's vgg.py computes it: its first dense layers are convolutions. */
import { conv, linear } from '../../lib/onnx/blocks/linear.ts'
import { flatten, globalAvgPool, maxPool, relu } from '../../lib/onnx/ops.ts'
import { type ArchitectureRows, type ClassifierBuilder, classifiers } from './family.ts'

interface VggConfig {
  /** Convolutions of each of the five stages. */
  depths: readonly number[]
}

const rows: ArchitectureRows<VggConfig> = {
  vgg11: { depths: [1, 1, 2, 2, 2] },
  vgg13: { depths: [2, 2, 2, 2, 2] },
  vgg16: { depths: [2, 2, 3, 3, 3] },
  vgg19: { depths: [2, 2, 4, 4, 4] },
}

const widths = [64, 128, 256, 512, 512]

/** image [n, 3, h, w] with h, w of at least 224 -> features [n, 4096], logits [n, classes] */
const vgg: ClassifierBuilder<VggConfig> = (w, image, c) => {
  let x = image
  let layer = 0
  for (const [stage, depth] of c.depths.entries()) {
    for (let i = 0; i < depth; i++, layer += 2) {
      x = relu(
        conv(w.at(`features.${layer}`), x, {
          out: widths[stage]!,
          kernel: 3,
          padding: 1,
          bias: true,
        }),
      )
    }
    x = maxPool(x, 2, { stride: 2 })
    layer += 1
  }
  x = relu(conv(w.at('pre_logits.fc1'), x, { out: 4096, kernel: 7, bias: true }))
  x = relu(conv(w.at('pre_logits.fc2'), x, { out: 4096, bias: true }))
  const features = flatten(globalAvgPool(x))
  return { features, logits: linear(w.at('head.fc'), features, c.classes) }
}

export const vggs = classifiers({ family: 'vgg', rows, build: vgg })
