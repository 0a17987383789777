import { type NameTable } from '../../lib/tensors/bind.ts'
import { type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'

/** One row per model: its name in the reference library and what its builder needs to know. */
export type ArchitectureRows<Config> = Readonly<Record<string, Config>>

/** `features` [n, width], what the classifier sees; `logits` [n, classes]. */
export interface OutputTensors {
  features: Tensor
  logits: Tensor
}

/** A model with a classification head. */
export interface Classifier {
  kind: 'classifier'
  family: string
  /** From the reference library's checkpoint names to the builder's, where they differ. */
  names?: NameTable
  /** image [n, 3, h, w], normalized. */
  build(w: ParameterScope, image: Tensor, classes: number): OutputTensors
}

/** A model that embeds images and texts into one space. */
export interface DualEncoder {
  kind: 'dual'
  family: string
  names?: NameTable
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
   * tokens int64 [n, length] and, where the model wants one, mask int64 [n, length], to [n, embedding]. Padding may be
   * cut off: a length below the context gives the same embedding.
   */
  encodeText(w: ParameterScope, tokens: Tensor, mask: Tensor): Tensor
  /**
   * Logits are this times the cosine similarity: the paper's own evaluation takes 100 for CLIP and 1 for FLAVA whatever
   * the checkpoint's `logit_scale` says (Geographic_Generalization, models/clip/clip.py and models/flava/flava.py).
   */
  logitScale: number
}

export type Architecture = Classifier | DualEncoder

/** The rows of a family of classifiers as architectures. */
export function classifiers<Config>(
  family: string,
  rows: ArchitectureRows<Config>,
  build: (w: ParameterScope, image: Tensor, config: Config, classes: number) => OutputTensors,
  names?: NameTable | ((config: Config) => NameTable),
): Record<string, Classifier> {
  return Object.fromEntries(
    Object.entries(rows).map(([name, config]) => [
      name,
      {
        kind: 'classifier',
        family,
        ...(names && { names: typeof names === 'function' ? names(config) : names }),
        build: (w, image, classes) => build(w, image, config, classes),
      },
    ]),
  )
}
