/** ConvNeXt (Liu et al. 2022) and ConvNeXt V2 (Woo et al. 2023), as timm's convnext.py computes them. */
import { convNextTrunk, type ConvNextConfig } from '../../lib/onnx/blocks/convnext.ts'
import { linear } from '../../lib/onnx/blocks/linear.ts'
import { gelu, geluTanh, silu } from '../../lib/onnx/ops.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

/** A trunk with its classifier, which may have a hidden layer of this width. */
type ConvNextRow = ConvNextConfig & { hidden?: number }

/** Widths of the four stages, doubled from the first. */
const widths = (first: number): number[] => [first, 2 * first, 4 * first, 8 * first]
const sized = (first: number, depths: readonly number[]): ConvNextConfig => ({
  depths,
  widths: widths(first),
})

const d2262 = [2, 2, 6, 2]
const atto = { ...sized(40, d2262), convolutional: true }
const femto = { ...sized(48, d2262), convolutional: true }
const pico = { ...sized(64, d2262), convolutional: true }
const nano = { ...sized(80, [2, 2, 8, 2]), convolutional: true }
const zepto = { ...sized(32, [2, 2, 4, 2]), convolutional: true, varianceNorm: true }
const tiny = sized(96, [3, 3, 9, 3])
const small = sized(96, [3, 3, 27, 3])
const convNextBase = sized(128, [3, 3, 27, 3])
const convNextLarge = sized(192, [3, 3, 27, 3])
const v2 = { responseNorm: true }
const test: ConvNextConfig = {
  depths: [1, 1, 1, 1],
  widths: [32, 64, 96, 128],
  epsilon: 1e-5,
  activation: geluTanh,
}

const rows: Rows<ConvNextRow> = {
  convnext_zepto_rms: zepto,
  convnext_zepto_rms_ols: { ...zepto, stem: { width: 32, activated: true } },
  convnext_atto: atto,
  convnext_atto_ols: { ...atto, stem: { width: 24 } },
  convnext_femto: femto,
  convnext_femto_ols: { ...femto, stem: { width: 24 } },
  convnext_pico: pico,
  convnext_pico_ols: { ...pico, stem: { width: 32 } },
  convnext_nano: nano,
  convnext_nano_ols: { ...nano, stem: { width: 80 } },
  convnext_tiny_hnf: { ...tiny, convolutional: true, normFirst: true },
  convnext_tiny: tiny,
  convnext_small: small,
  convnext_base: convNextBase,
  convnext_large: convNextLarge,
  convnext_large_mlp: { ...convNextLarge, hidden: 1536 },
  convnext_xlarge: sized(256, [3, 3, 27, 3]),
  convnext_xxlarge: { ...sized(384, [3, 4, 30, 3]), epsilon: 1e-5 },
  convnextv2_atto: { ...atto, ...v2 },
  convnextv2_femto: { ...femto, ...v2 },
  convnextv2_pico: { ...pico, ...v2 },
  convnextv2_nano: { ...nano, ...v2 },
  convnextv2_tiny: { ...tiny, ...v2 },
  convnextv2_base: { ...convNextBase, ...v2 },
  convnextv2_large: { ...convNextLarge, ...v2 },
  convnextv2_huge: { ...sized(352, [3, 3, 27, 3]), ...v2 },
  test_convnext: { ...test, depths: [1, 2, 4, 2], widths: [24, 32, 48, 64] },
  test_convnext2: test,
  test_convnext3: { ...test, kernels: [7, 5, 5, 3], activation: silu },
}

/** image [n, 3, h, w] -> features [n, last width], logits [n, classes] */
const convNext: ClassifierBuilder<ConvNextRow> = (w, image, c) => {
  const pooled = convNextTrunk(w, image, c)
  const head = w.at('head')
  const features =
    c.hidden === undefined ? pooled : gelu(linear(head.at('pre_logits.fc'), pooled, c.hidden))
  return linearHead(head.at('fc'), features, c.classes)
}

export const convNexts = classifiers({ family: 'convnext', rows, build: convNext })
