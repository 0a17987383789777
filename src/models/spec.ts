import { type ZeroShot } from '../inference/zeroshot.ts'
import { type Recipe } from '../preprocessing/steps.ts'

/** Where a model's weights come from. */
export type WeightSource =
  | { from: 'files'; files: readonly string[] }
  | { from: 'hub'; repo: string; file: string; revision?: string }
  | { from: 'url'; url: string; sha256?: string }

/** A model that can be evaluated: plain data, before anything is downloaded. */
export interface ModelSpec {
  /** The name that results carry, with its tag: `resnet50.a1_in1k`. */
  name: string
  /** Key of `architectures`. */
  architecture: string
  /** ImageNet's 1,000 in wnid order, or the model's own class names. */
  classes: 'imagenet-1k' | readonly string[]
  /** Preprocessing that the weights were trained for. */
  recipe: Recipe
  weights: WeightSource
}

/** A model whose weights lie on this machine; what a worker process is given. */
export interface ReadyModel {
  name: string
  architecture: string
  classes: number
  files: readonly string[]
  /** For an encoder of images and texts: what it tells apart. */
  zeroShot?: ZeroShot
}
