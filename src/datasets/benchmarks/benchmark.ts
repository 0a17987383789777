import { shellWord } from '../../lib/table/text.ts'
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

/** What the files of a folder tell about the benchmark that they are of. */
export interface FileEvidence {
  /** True for marks that the files of no other benchmark have. */
  fits: boolean
  /** Why the files cannot be the benchmark's, whatever their folder is called. */
  contradiction?: string
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
  /** A data set of the hub for a benchmark whose official source is not a direct download, and how it differs. */
  hub?: { name: string; difference: string }
  /**
   * Names of folders and archives below the data folder that stand for the benchmark. Case, separators and the endings of
   * archives do not count.
   */
  candidatePaths: (variant: string) => readonly string[]
  /** Tells whether a folder that has an entry of this name is the benchmark's root. */
  isRootEntry: (name: string) => boolean
  /** Looks for marks in the files below a root. */
  marks: (root: FileTree, variant: string) => Promise<FileEvidence>
  read: (tree: FileTree, options: ReadBenchmarkOptions) => Promise<RawDataset>
}

/** Returns what to download by hand, from where and to where. */
export const byHandText = ({ name, howToGet, source }: Benchmark, data: string): string =>
  `${howToGet.replace('the source page', source)}, below ${data} (geogap datasets show ${name})`

/** Returns how to get a benchmark: the command that downloads it, or what to do by hand. */
export const gettingText = (benchmark: Benchmark, data: string): string =>
  benchmark.downloads.length > 0
    ? `geogap fetch ${benchmark.name} --data ${shellWord(data)}`
    : byHandText(benchmark, data)
