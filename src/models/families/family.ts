import { type NameTable } from '../../lib/tensors/bindWeights.ts'
import { type Block, type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import { linear } from '../../lib/onnx/blocks/linear.ts'
import { add, average, exp, globalMean, mul } from '../../lib/onnx/ops.ts'

/** The configuration that a builder needs, for each model by its name in the reference library. */
export type Rows<Config> = Readonly<Record<string, Config>>

/** `features` [n, width], the input of the classification head, and `logits` [n, classes]. */
export interface OutputTensors {
  features: Tensor
  logits: Tensor
}

/** A model with a classification head. */
export interface Classifier {
  kind: 'classifier'
  family: string
  /** Relates the names of checkpoints to the builder's. */
  names: NameTable
  /** image [n, 3, h, w], normalized. A family of image towers takes 0 classes too: `logits` are then the features. */
  build(w: ParameterScope, image: Tensor, classes: number): OutputTensors
}

/** A model that embeds images and texts into one space, such as CLIP. */
export interface DualEncoder {
  kind: 'dual'
  family: string
  names: NameTable
  /** Width of the shared space. */
  embeddingWidth: number
  tokenizer: TokenizerSettings
  /** The prompt of the paper's evaluation; `{}` stands for the class name. */
  prompt: string
  /** image [n, 3, h, w], normalized, to [n, embedding]; not yet of unit length. */
  encodeImage(w: ParameterScope, image: Tensor): Tensor
  /**
   * tokens int64 [n, length] and mask int64 [n, length] (0 on padding; not every model reads it) to [n, embedding]. The
   * length is the context length if the tokenizer's settings say `padded`; else it may be less.
   */
  encodeText(w: ParameterScope, tokens: Tensor, mask: Tensor): Tensor
  /**
   * The factor from cosine similarities to logits. The paper's evaluation code takes 100 for CLIP and 1 for FLAVA instead
   * of the checkpoint's `logit_scale` (Geographic_Generalization, models/clip/clip.py and models/flava/flava.py). Models
   * that were trained with a sigmoid take the checkpoint's own: exp(`logit_scale`) times the cosine, plus `logit_bias`.
   */
  logitScale: number | 'checkpoint'
}

/** How texts become tokens. */
export interface TokenizerSettings {
  /** Most tokens of a text. */
  contextLength: number
  /** How texts are cleaned first, in OpenCLIP's words; `case` changes their case alone, `none` nothing. */
  cleaning: 'lower' | 'whitespace' | 'canonicalize' | 'case' | 'none'
  /** The token that fills a text up. */
  padding: number
  /** Whether texts are filled up to the context length, because the model reads the padding too. */
  padded?: boolean
  /** Hub repository whose `tokenizer.json` stands in if the weights' own repository has none. */
  repository?: string
  /** Token that becomes padding wherever it stands. */
  dropped?: string
  /** Token of the language, which precedes every text whatever the file says; the end token follows. */
  language?: string
}

/** Returns logits of cosine similarities [n, t]. */
export const scoreCosines: Block<Pick<DualEncoder, 'logitScale'>> = (w, cosines, { logitScale }) =>
  logitScale === 'checkpoint'
    ? add(mul(cosines, exp(w.get('logit_scale', [], 'scale'))), w.get('logit_bias', [], 'bias'))
    : mul(cosines, logitScale)

export type Architecture = Classifier | DualEncoder

/** Builds a classifier of a family: image [n, 3, h, w] to features [n, width] and logits [n, classes]. */
export type ClassifierBuilder<Config> = (
  w: ParameterScope,
  image: Tensor,
  c: Config & { classes: number },
) => OutputTensors

interface ClassifierFamily<Config> {
  family: string
  rows: Rows<Config>
  build: ClassifierBuilder<Config>
  /** The renaming of published checkpoints' parameters to the builder's names, for each configuration where it differs. */
  names?: NameTable | ((config: Config) => NameTable)
}

/** Classifies features by the linear layer `w`; if there are 0 classes, the logits are the features themselves. */
export const linearHead = (
  w: ParameterScope,
  features: Tensor,
  classes: number,
): OutputTensors => ({ features, logits: classes === 0 ? features : linear(w, features, classes) })

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
        names: { ...(typeof names === 'function' ? names(config) : names), architecture: name },
        build: (w, image, classes) => build(w, image, { ...config, classes }),
      },
    ]),
  )

/** Averages images [n, width, h, w] over their positions and classifies the means by the linear layer `w`. */
export const pooledHead = (w: ParameterScope, x: Tensor, classes: number): OutputTensors =>
  linearHead(w, globalMean(x), classes)

/** Classifies features by the mean of two linear layers, `head` and DeiT's `head_dist` (Touvron et al. 2021). */
export function distilledHeads(
  w: ParameterScope,
  features: Tensor,
  classes: number,
): OutputTensors {
  const logits = ['head', 'head_dist'].map(name => linear(w.at(name), features, classes))
  return { features, logits: average(logits) }
}
