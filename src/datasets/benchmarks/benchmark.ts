import type { RawDataset } from '../build.ts'
import type { LabelsOption } from '../labels/labelMap.ts'
import type { FileTree } from '../tree.ts'

/** A file that can be fetched without accepting terms by hand. */
export interface BenchmarkDownload {
  url: string
  bytes?: number
  sha256?: string
  /** Where the publisher gives no SHA-256: it tells a damaged download, not a forged one. */
  md5?: string
  /** Name below the data folder. */
  file: string
  /** What to do with it once it is whole; archives that allow random access are used as they are. */
  then?: 'gunzip'
}

/** What the authors state about a variant; null where they state nothing. */
export interface ExpectedCounts {
  images: number | null
  classes: number
  /** Images of every class, where all have equally many. */
  perClass?: number
  regions?: number
}

export interface ReadBenchmarkOptions {
  variant: string
  labels?: LabelsOption
}

/** A row of facts about a benchmark, and one function from its files to items. */
export interface Benchmark {
  name: string
  title: string
  kind: 'standard' | 'geographic'
  terms: string
  source: string
  expectedCounts: (variant: string) => ExpectedCounts
  /** Named readings or parts of it, the default first; asked for as `name/variant`. */
  variants: readonly string[]
  /** How to get the files, and where to put them. */
  howToGet: string
  downloads: readonly BenchmarkDownload[]
  /** Folders and archives below the data folder that may hold it, tried in order. */
  candidatePaths: (variant: string) => readonly string[]
  /** Whether a name directly below a folder marks it as this benchmark's root. */
  isRootEntry: (name: string) => boolean
  read: (tree: FileTree, options: ReadBenchmarkOptions) => Promise<RawDataset>
}
