import { type ZeroShotTask } from './runtime/zeroShotHead.ts'
import { type PreprocessingConfig } from '../lib/pixels/steps.ts'

/** Where a model's weights come from. */
export type WeightSource =
  | { from: 'files'; files: readonly string[] }
  /** A file of a hub repository; `otherwise` names the one that older repositories have instead. */
  | { from: 'hub'; repo: string; file: string; otherwise?: string; revision?: string }
  /** Files at web addresses; `page` is where a person finds them when a link is dead. */
  | { from: 'url'; files: readonly RemoteFile[]; page: string }
  /** Published where no program can fetch it: a person gets `file` from `page`. */
  | { from: 'hand'; file: string; page: string }

export interface RemoteFile {
  url: string
  /** The published hash, maybe only its first digits. */
  sha256?: string
}

/** How a graph made elsewhere takes images and gives results. */
export interface GraphUse {
  /** Name of the graph's input, [n, 3, size, size] or [n, size, size, 3]. */
  input: string
  layout: 'NCHW' | 'NHWC'
  /** `uint8` takes pixels as they are: the graph itself normalizes. The file's own where none is given. */
  dtype?: 'float32' | 'float16' | 'uint8'
  /** Name of the output to read, one row per image. */
  output: string
  kind: 'logits' | 'probabilities' | 'embedding'
}

/** A linear classifier that was trained on a model's features. */
export interface TrainedHead {
  /** Safetensors with `head.weight` [classes, width] and `head.bias` [classes]. */
  file: string
  /** The classes of the model that gives the features. */
  base: ModelSpec['classes']
  /** SHA-256 of the weights whose features it was trained on. */
  weights?: readonly string[]
}

/** A model by name: its architecture, weights and preprocessing. Plain data; nothing is downloaded yet. */
export interface ModelSpec {
  /** The name that results carry, with its tag: `resnet50.a1_in1k`. */
  name: string
  /** Key of `architectures`, or `onnx` for a graph made elsewhere. */
  architecture: string
  /** Of a graph made elsewhere, whose file is the first of `weights`. */
  graph?: GraphUse
  /** ImageNet's 1,000 in wnid order, the model's own class names, or any names that the model is given as texts. */
  classes: 'imagenet-1k' | 'zero-shot' | readonly string[]
  /** Classifies in place of the model's own head, if it has one. */
  head?: TrainedHead
  /** Preprocessing that the weights were trained for. */
  recipe: PreprocessingConfig
  weights: WeightSource
  /** Terms of the weights, an SPDX identifier where there is one. */
  licence?: string
  /** Who publishes the weights under this name. */
  source?: string
  /** What a person should know before using it. */
  note?: string
}

/** A model whose weights lie on this machine; what a worker process is given. */
export interface LocalModel {
  name: string
  architecture: string
  /** Safetensors of the linear classifier to put on its features. */
  headFile?: string
  /** Size of its own classifier; 0 for a model without one. */
  classes: number
  files: readonly string[]
  /** Of a graph made elsewhere, the first of `files`: its use, with the sizes that it is bound to. */
  graph?: Required<GraphUse> & { batch?: number; size?: number }
  /** For an encoder of images and texts: what it tells apart. */
  zeroShot?: ZeroShotTask
}

/** The same model with the weights of `file`, where one is given. */
export const withWeights = (spec: ModelSpec, file: string | undefined): ModelSpec =>
  file === undefined ? spec : { ...spec, weights: { from: 'files', files: [file] } }
