/** ConvNeXt (Liu et al. 2022), as timm's convnext.py computes it. */
import { type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import { convNextTrunk, type ConvNextConfig } from '../../lib/onnx/blocks/convnext.ts'
import { linear } from '../../lib/onnx/blocks/linear.ts'
import { type ArchitectureRows, type ClassifierBuilder, classifiers } from './family.ts'

export const convNextBase: ConvNextConfig = { depths: [3, 3, 27, 3], widths: [128, 256, 512, 1024] }
export const convNextLarge: ConvNextConfig = {
  depths: [3, 3, 27, 3],
  widths: [192, 384, 768, 1536],
}

const rows: ArchitectureRows<ConvNextConfig> = {
  convnext_tiny: { depths: [3, 3, 9, 3], widths: [96, 192, 384, 768] },
  convnext_small: { depths: [3, 3, 27, 3], widths: [96, 192, 384, 768] },
  convnext_base: convNextBase,
  convnext_large: convNextLarge,
}

/** image [n, 3, h, w] -> features [n, last width], logits [n, classes] */
const convNext: ClassifierBuilder<ConvNextConfig> = (w, image, c) => {
  const features = convNextTrunk(w, image, c)
  return { features, logits: linear(w.at('head.fc'), features, c.classes) }
}

export const convNexts = classifiers({ family: 'convnext', rows, build: convNext })
