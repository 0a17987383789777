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
  /** Names of outputs that stand in where the graph has none of that name, the preferred one first. */
  otherwise?: readonly string[]
  kind: 'logits' | 'probabilities' | 'embedding'
}

/** The use of a foreign graph with the batch and image sizes that its file fixes, if any. */
export interface BoundGraphUse extends Required<Omit<GraphUse, 'otherwise'>> {
  batch?: number | undefined
  size?: number | undefined
  /** Whether images go through one by one, since a row would depend on the others of its batch. */
  oneAtATime?: boolean | undefined
}

/** The text tower of a foreign encoder of images and texts, whose files lie where those of its image tower do. */
export interface ForeignTextTower {
  /** The ONNX file. */
  file: string
  /** Name of the output to read, one row per text. */
  output: string
  /** Names of outputs that stand in where the graph has none of that name. */
  otherwise?: readonly string[] | undefined
  /** The file `tokenizer.json`. */
  tokenizer: string
  /** Transformers' `tokenizer_config.json`, whose settings take precedence over those given here; it may be missing. */
  tokenizerConfig?: string | undefined
  /** Most tokens of a text. */
  contextLength?: number | undefined
  /** The token that fills a text up. */
  padding?: number | undefined
  /** Whether texts are filled up to the context length and read whole, as SigLIP's are. */
  padded?: boolean | undefined
  /** Whether it was trained with texts in lower case, whatever its tokenizer does. */
  lowercase?: boolean | undefined
  /** The trained factor from cosine similarities to logits; null if it is not known. */
  logitScale: number | null
  /** The default prompt; `{}` stands for the class name. */
  prompt: string
}

/** A text tower completed by its file and its tokenizer. */
export interface BoundTextTower {
  /** Path of the graph. */
  file: string
  output: string
  /** Path of `tokenizer.json`. */
  tokenizer: string
  contextLength: number
  padding: number
  padded: boolean
  /** Whether texts are brought to lower case before the tokenizer gets them. */
  lowercase?: boolean | undefined
  /** Whether the graph takes the kinds of tokens, all 0, as BERT's do. */
  tokenTypes?: boolean | undefined
  /** The mask that the graph takes: none, ones for all tokens, or ones for the tokens of the text. */
  mask: 'none' | 'ones' | 'length'
  oneAtATime: boolean
  integers: 'int32' | 'int64'
  /** Width of the embeddings where the file states it. */
  width?: number | undefined
  /** Null if it is not known: the model then ranks classes and has no probabilities. */
  logitScale: number | null
  prompt: string
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
  /** The text tower of a foreign graph that embeds images. */
  text?: ForeignTextTower | undefined
  /** ImageNet's 1,000 in wnid order, the model's own class names (none if it gives features alone), or any names given as texts. */
  classes: 'imagenet-1k' | 'zero-shot' | readonly string[]
  /** Classes of a head over more than ImageNet's 1,000, whose logits are picked by wnid. */
  headClasses?: number | undefined
  /** A classifier that replaces the model's own head. */
  head?: TrainedHead
  /** Preprocessing that the weights were trained for. */
  recipe: PreprocessingConfig
  /** The size and the crop at which timm validates the model and `NAME:test` runs it. */
  testRecipe?: Pick<PreprocessingConfig, 'size' | 'cropPct'> | undefined
  /** The name without the size, of a model that runs at another size than its weights were trained for. */
  sizeOf?: string
  /** Top-1 accuracies on ImageNet in percent that timm publishes, by input size (results-imagenet.csv of timm 1.0.31). */
  published?: readonly { size: number; top1: number }[]
  weights: WeightSource
  /** Terms of the weights, an SPDX identifier if one fits. */
  licence?: string | undefined
  /** The publication that states these terms. */
  licenceSource?: string | undefined
  /** Who publishes the weights under this name. */
  source?: string
  /** What makes the model's results doubtful. It is shown at every evaluation and beside stored results. */
  note?: string | undefined
}

/** The class names and prompts that make an encoder a classifier, as a worker process gets them. */
export interface ZeroShotTask {
  /** Path of a `tokenizer.json`. */
  tokenizer: string
  classNames: readonly string[]
  /** `{}` stands for the class name. */
  templates: readonly string[]
  /** Folder that keeps the embeddings of texts (`towerFolder`); they are not kept by default. */
  embeddings?: string
}

/** A model whose weights are on this machine, as a worker process gets it. */
export interface LocalModel {
  name: string
  architecture: string
  /** Safetensors of a linear classifier for its features. */
  headFile?: string | undefined
  /** Size of its own classifier; 0 for a model without one. */
  classes: number
  /** Whether the logits of ImageNet's 1,000 are picked from those of a larger head. */
  picksImagenet?: boolean | undefined
  files: readonly string[]
  /** Whether its tables of positions are resized to the images. */
  resizePositions?: boolean | undefined
  /** The use of a foreign graph, the first of `files`. */
  graph?: BoundGraphUse | undefined
  text?: BoundTextTower | undefined
  /** The class names and prompts of an encoder of images and texts. */
  zeroShot?: ZeroShotTask
}

/** Returns the model with the weights of `file`, if one is given. */
export const withWeights = (spec: ModelSpec, file: string | undefined): ModelSpec =>
  file === undefined ? spec : { ...spec, weights: { from: 'files', files: [file] } }

/** Returns the note on a model whose trained logit scale is not known. */
export const unscaledNote = (logitScale: number | null): string | undefined =>
  logitScale === null
    ? 'its files lack the trained logit scale: ranks are exact, probabilities are not given'
    : undefined
