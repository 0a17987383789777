import { type NameTable } from '../../lib/tensors/bind.ts'
import { type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import { linear } from '../../lib/onnx/blocks/linear.ts'
import { flatten, globalAvgPool } from '../../lib/onnx/ops.ts'

/** The configuration that a builder needs, for each model by its name in the reference library. */
export type ArchitectureRows<Config> = Readonly<Record<string, Config>>

/** `features` [n, width], the input of the classification head, and `logits` [n, classes]. */
export interface OutputTensors {
  features: Tensor
  logits: Tensor
}

/** A model with a classification head. */
export interface Classifier {
  kind: 'classifier'
  family: string
  /** From the reference library's checkpoint names to the builder's, where they differ. */
  names?: NameTable | undefined
  /** image [n, 3, h, w], normalized. */
  build(w: ParameterScope, image: Tensor, classes: number): OutputTensors
}

/** A model that embeds images and texts into one space, such as CLIP. */
export interface DualEncoder {
  kind: 'dual'
  family: string
  names?: NameTable | undefined
  /** Width of the shared space. */
  embeddingWidth: number
  /** Most tokens of a text. */
  contextLength: number
  /** How texts become tokens: `clip` cleans them first as OpenCLIP does, `bert` takes them as they are. */
  textCleaning: 'clip' | 'bert'
  /** The prompt of the paper's evaluation; `{}` stands for the class name. */
  prompt: string
  /** image [n, 3, h, w], normalized, to [n, embedding]; not yet of unit length. */
  encodeImage(w: ParameterScope, image: Tensor): Tensor
  /**
   * tokens int64 [n, length] and mask int64 [n, length] (0 on padding; not every model reads it) to [n, embedding]. The
   * length may be below the context length: the embedding does not depend on padding.
   */
  encodeText(w: ParameterScope, tokens: Tensor, mask: Tensor): Tensor
  /**
   * The factor from cosine similarities to logits. The paper's evaluation code takes 100 for CLIP and 1 for FLAVA instead
   * of the checkpoint's `logit_scale` (Geographic_Generalization, models/clip/clip.py and models/flava/flava.py).
   */
  logitScale: number
}

export type Architecture = Classifier | DualEncoder

/** Builds a classifier of a family: image [n, 3, h, w] to features [n, width] and logits [n, classes]. */
export type ClassifierBuilder<Config> = (
  w: ParameterScope,
  image: Tensor,
  c: Config & { classes: number },
) => OutputTensors

interface ClassifierFamily<Config> {
  family: string
  rows: ArchitectureRows<Config>
  build: ClassifierBuilder<Config>
  /** From the names of published checkpoints to the builder's, for each configuration. */
  names?: (config: Config) => NameTable
}

/** Returns one architecture for each row of a family of classifiers. */
export const classifiers = <Config>({
  family,
  rows,
  build,
  names,
}: ClassifierFamily<Config>): Record<string, Classifier> =>
  Object.fromEntries(
    Object.entries(rows).map(([name, config]) => [
      name,
      {
        kind: 'classifier',
        family,
        names: names?.(config),
        build: (w, image, classes) => build(w, image, { ...config, classes }),
      },
    ]),
  )

/** Averages [n, width, h, w] over its positions and classifies it by the layer `fc`, as timm's ClassifierHead. */
export function pooledHead(w: ParameterScope, x: Tensor, classes: number): OutputTensors {
  const features = flatten(globalAvgPool(x))
  return { features, logits: linear(w.at('fc'), features, classes) }
}
