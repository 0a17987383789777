import { type ImageSource } from '../lib/archive/member.ts'

/** A value of a grouping column; null if the data set gives none. */
export type GroupValue = string | number | null

/** One image of a data set, with everything that scoring and grouping need. */
export interface Sample {
  /** Unique within the data set, stable between runs (usually the path below the data folder). */
  id: string
  image: ImageSource
  /** Accepted class indices; empty when the item's class has none among the choices. */
  labels: readonly number[]
  /** The class as the data set names it. */
  label: string
  /** region, country, income, household and any further column of the manifest. */
  groups: Readonly<Record<string, GroupValue>>
  /** Unpacked size of the stored image; null when its file is missing, which the evaluation counts as an error row. */
  bytes?: number | null
}

/** A rule that makes accepted class indices of a data set's own labels, versioned by its content. */
export interface LabelMap {
  name: string
  /** SHA-256 over the mapping's content, part of every result's key. */
  hash: string
}

/** Which of the model's classes compete: all of them, or a subset (others are masked out before ranking). */
export type Choices = 'all' | readonly number[]

/** What a benchmark's images need before, or instead of, a step of the model's own preprocessing. */
export interface ImageFixes {
  /** Pixels to cut from each side before anything else (ObjectNet's red frame: 2). */
  border: number
  /** False when the images already have the network's input size and are not resized or cropped (ImageNet-C). */
  resize: boolean
}

/** How countries were made regions, and the places that the scheme does not know. */
export interface RegionMapping {
  scheme: string
  hash: string
  unmatched: readonly { place: string; count: number }[]
}

/** An opened data set: its samples, class names and label map. */
export interface Dataset {
  name: string
  samples: readonly Sample[]
  /** Names of the label space that `labels` index into (ImageNet's 1,000 unless the data set has its own). */
  classes: readonly string[]
  /** `imagenet-1k` when `classes` is ImageNet's list in wnid order, else `own`. */
  labelSpace: 'imagenet-1k' | 'own'
  labelMap: LabelMap
  choices: Choices
  /** SHA-256 over ids, labels, groups and image sizes: changes when the content does. */
  hash: string
  /** Names of the grouping columns that `groups` may hold, in the data set's order. */
  columns: readonly string[]
  /** Rows that could not become items, each with its reason; reported, never silently dropped. */
  problems: readonly Problem[]
  /** Absent where the model's preprocessing applies as it is. */
  imageFixes?: ImageFixes
  /** Facts to show beside results: images that the protocol leaves out, households that a split shares. */
  notes?: readonly string[]
  /** Present when the images are no photographs of the world: a sentence that every figure and report carries. */
  synthetic?: string
  /** Present when regions were derived from countries. */
  regionMapping?: RegionMapping
  /** How `items` are ordered, where that is not the files' order; part of every result's key. */
  order?: string
}

/** A row of a source that could not become a sample, with the reason. */
export interface Problem {
  id: string
  /** `missing-file`, `unknown-class`, … */
  code: string
  message: string
}
