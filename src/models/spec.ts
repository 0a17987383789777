import { type ZeroShotTask } from './runtime/zeroShotHead.ts'
import { type PreprocessingConfig } from '../lib/pixels/steps.ts'

/** Where a model's weights come from. */
export type WeightSource =
  | { from: 'files'; files: readonly string[] }
  /** A file of a hub repository; `otherwise` names the one that older repositories have instead. */
  | { from: 'hub'; repo: string; file: string; otherwise?: string; revision?: string }
  /** Files at web addresses; `page` is where a person finds them if a link is dead. */
  | { from: 'url'; files: readonly RemoteFile[]; page: string }
  /** A file that no program can download: a person gets it from `page`. */
  | { from: 'hand'; file: string; page: string }

export interface RemoteFile {
  url: string
  /** The published hash, or only its first digits. */
  sha256?: string
}

/** The inputs and outputs of a foreign graph: an ONNX file that this library did not build. */
export interface GraphUse {
  /** Name of the graph's input, [n, 3, size, size] or [n, size, size, 3]. */
  input: string
  layout: 'NCHW' | 'NHWC'
  /** The file's own by default; `uint8` takes pixels that the graph itself normalizes. */
  dtype?: 'float32' | 'float16' | 'uint8'
  /** Name of the output to read, one row per image. */
  output: string
  kind: 'logits' | 'probabilities' | 'embedding'
}

/** The use of a foreign graph with the batch and image sizes that its file fixes, if any. */
export interface BoundGraphUse extends Required<GraphUse> {
  batch?: number | undefined
  size?: number | undefined
}

/** A linear classifier that was trained on a model's features. */
export interface TrainedHead {
  /** Safetensors with `head.weight` [classes, width] and `head.bias` [classes]. */
  file: string
  /** The classes of the model that gives the features. */
  base: ModelSpec['classes']
  /** SHA-256 of the weights whose features it was trained on. */
  weights?: readonly string[] | undefined
}

/** A model by name: its architecture, weights and preprocessing. Plain data; nothing is downloaded yet. */
export interface ModelSpec {
  /** The name in results, with its tag: `resnet50.a1_in1k`. */
  name: string
  /** Key of `architectures`, or `onnx` for a foreign graph. */
  architecture: string
  /** The use of a foreign graph, the first file of `weights`. */
  graph?: GraphUse | undefined
  /** ImageNet's 1,000 in wnid order, the model's own class names (none if it gives features alone), or any names given as texts. */
  classes: 'imagenet-1k' | 'zero-shot' | readonly string[]
  /** A classifier that replaces the model's own head. */
  head?: TrainedHead
  /** Preprocessing that the weights were trained for. */
  recipe: PreprocessingConfig
  /** The size and the crop at which timm validates the model and `NAME:test` runs it. */
  testRecipe?: Pick<PreprocessingConfig, 'size' | 'cropPct'> | undefined
  /** Whether the architecture takes images of its training size only, unless its positions are resized. */
  fixedSize?: boolean | undefined
  /** The name without the size, of a model that runs at another size than its weights were trained for. */
  sizeOf?: string
  /** Top-1 accuracies on ImageNet in percent that timm publishes, by input size (results-imagenet.csv of timm 1.0.31). */
  published?: readonly { size: number; top1: number }[]
  weights: WeightSource
  /** Terms of the weights, an SPDX identifier if one fits. */
  licence?: string | undefined
  /** Who publishes the weights under this name. */
  source?: string
  /** What makes the model's results doubtful. It is shown at every evaluation and beside stored results. */
  note?: string | undefined
}

/** A model whose weights are on this machine, as a worker process gets it. */
export interface LocalModel {
  name: string
  architecture: string
  /** Safetensors of a linear classifier for its features. */
  headFile?: string | undefined
  /** Size of its own classifier; 0 for a model without one. */
  classes: number
  files: readonly string[]
  /** Whether its table of positions is resized to the images. */
  resizePositions?: boolean | undefined
  /** The use of a foreign graph, the first of `files`. */
  graph?: BoundGraphUse | undefined
  /** The class names and prompts of an encoder of images and texts. */
  zeroShot?: ZeroShotTask
}

/** Returns the model with the weights of `file`, if one is given. */
export const withWeights = (spec: ModelSpec, file: string | undefined): ModelSpec =>
  file === undefined ? spec : { ...spec, weights: { from: 'files', files: [file] } }
