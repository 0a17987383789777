import type { RawDataset } from '../build.ts'
import type { LabelsOption } from '../labels/labelMap.ts'
import type { FileTree } from '../tree.ts'

/** A file that can be downloaded without accepting terms on a page. */
export interface BenchmarkDownload {
  url: string
  bytes?: number
  sha256?: string
  /** MD5 that the publisher states in place of a SHA-256; it detects damage, not forgery. */
  md5?: string
  /** Path below the data folder. */
  file: string
  /** What to do with the file after the download. */
  then?: 'gunzip'
}

/** The counts that the authors state for a variant; null for those that they do not state. */
export interface ExpectedCounts {
  images: number | null
  classes: number
  /** Images of each class of a benchmark whose classes are of equal size. */
  perClass?: number
  regions?: number
}

export interface ReadBenchmarkOptions {
  variant: string
  labels: LabelsOption | undefined
}

/** Facts about a benchmark, and the function that reads its files. */
export interface Benchmark {
  name: string
  title: string
  kind: 'standard' | 'geographic'
  terms: string
  source: string
  expectedCounts: (variant: string) => ExpectedCounts
  /** Parts or protocols that are asked for as `name/variant`; the first is the default. */
  variants: readonly string[]
  /** Where the files come from, and where below the data folder they belong. */
  howToGet: string
  downloads: readonly BenchmarkDownload[]
  /** Folders and archives below the data folder that hold the benchmark by their name, in the order of search. */
  candidatePaths: (variant: string) => readonly string[]
  /** Tells whether a folder that has an entry of this name is the benchmark's root. */
  isRootEntry: (name: string) => boolean
  read: (tree: FileTree, options: ReadBenchmarkOptions) => Promise<RawDataset>
}
