import type { ImageSource } from '../lib/archive/member.ts'

/** A value of a grouping column; null if the data set gives none. */
export type GroupValue = string | number | null

/** One image of a data set, with everything that scoring and grouping need. */
export interface Sample {
  /** Unique within the data set, stable between runs (usually the path below the data folder). */
  id: string
  image: ImageSource
  /** Accepted class indices; empty when no class of the model stands for the sample's label. */
  labels: readonly number[]
  /** The class as the data set names it. */
  label: string
  /** Values of `region`, `country`, `income`, `household` and of every further column of the source. */
  groups: Readonly<Record<string, GroupValue>>
  /** Unpacked size in bytes; null for a missing file, which an evaluation stores as a row with an error. */
  bytes?: number | null
}

/** Identifies the map from a data set's own labels to accepted class indices. */
export interface LabelMap {
  name: string
  /** SHA-256 of the map's content, which is part of every result's key. */
  hash: string
}

/** The classes that compete: all of the model's, or a subset. The logits of the others are masked out before ranking. */
export type Choices = 'all' | readonly number[]

/** Changes to a model's preprocessing that a benchmark's images need. */
export interface ImageFixes {
  /** Pixels that are cut from each side first, such as ObjectNet's red border. */
  border: number
  /** False for images that have the network's input size already and are neither resized nor cropped (ImageNet-C). */
  resize: boolean
}

/** The scheme by which regions were derived from countries, and the places that it does not contain. */
export interface RegionMapping {
  scheme: string
  hash: string
  unmatched: readonly { place: string; count: number }[]
}

/** An opened data set: its samples, class names and label map. */
export interface Dataset {
  name: string
  samples: readonly Sample[]
  /** Names of the classes that `labels` index into: ImageNet's 1,000, or the data set's own. */
  classes: readonly string[]
  /** `imagenet-1k` when `classes` are ImageNet's in wnid order. */
  labelSpace: 'imagenet-1k' | 'own'
  labelMap: LabelMap
  choices: Choices
  /** SHA-256 over ids, labels, groups, image sizes and, if it was opened to be evaluated, the bytes of the images. */
  hash: string
  /** The hash without the images' bytes, which earlier versions stored. */
  sizesHash?: string | undefined
  /** Names of the grouping columns, in the source's order. */
  columns: readonly string[]
  /** Rows and files of the source that are no samples, each with its reason. */
  problems: readonly Problem[]
  /** How many images that the benchmark's authors count are not in this copy. */
  absent?: number | undefined
  imageFixes?: ImageFixes | undefined
  /** The commit of the hub repository that it was read from. */
  revision?: string | undefined
  /** Sentences to show beside results, for example on images that the protocol leaves out. */
  notes?: readonly string[] | undefined
  /** For images that are no photographs of the world: a sentence that every figure and report shows. */
  synthetic?: string
  /** Present when regions were derived from countries. */
  regionMapping?: RegionMapping | undefined
  /** The order of `samples` where it is not the files' order; part of every result's key. */
  order?: string
}

/** A row of a source that is no sample, with the reason. */
export interface Problem {
  id: string
  /** `missing-file`, `unknown-class`, … */
  code: string
  message: string
}

/** Returns the grouping columns that any of the samples has, in the order of their first occurrence. */
export const columnsOfSamples = (samples: readonly Pick<Sample, 'groups'>[]): string[] => [
  ...new Set(samples.flatMap(({ groups }) => Object.keys(groups))),
]
