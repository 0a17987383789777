// Chooses a split of a data set's repository, reports its terms and downloads its files into the hub cache.
import { open } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { inputError, storageError } from '../../lib/errors.ts'
import { freeDiskBytes, writeFully } from '../../lib/files.ts'
import { hubFile, type HubOptions, pageUrl } from '../../lib/hub/hub.ts'
import { type HubRevision, hubSettings, snapshotFolder } from '../../lib/hub/hubCache.ts'
import {
  describeRepository,
  type HubListedFile,
  type HubRepository,
  readRemoteTail,
} from '../../lib/hub/repository.ts'
import { selectFromFile } from '../../lib/sql.ts'
import { bytesText, countText } from '../../lib/table/text.ts'
import { withTempDir } from '../../lib/tempDir.ts'
import { fileBytes } from '../files.ts'
import { labelColumnNames } from '../manifest.ts'
import {
  candidateSplits,
  type HubSplit,
  isMetadataName,
  parseHubDatasetName,
  unlabelledSplitNote,
} from './splits.ts'

/** How data sets of the hub are downloaded. */
export interface HubDatasetOptions extends Pick<HubOptions, 'env' | 'network'> {
  /** Receives the terms of a data set before the first byte of its images is downloaded. */
  onTerms?: ((terms: string) => void) | undefined
  /** Receives the bytes of a data set that are on disk, and their total. */
  onDownload?: ((name: string, done: number, total: number) => void) | undefined
}

/** A split of a repository at one commit, with what has to be downloaded of it. */
export interface HubSelection {
  name: string
  /** The repository at the commit that its revision points to. */
  source: HubRevision
  repository: HubRepository
  split: HubSplit
  /** Sentences on the choice of the split, to show beside results. */
  notes: readonly string[]
  /** Files beside the images: class names, the number of shards, tables that name images. */
  companions: readonly HubListedFile[]
  /** The folder of the hub cache that has the repository's files at the commit. */
  folder: string
  missing: readonly HubListedFile[]
}

/**
 * Returns the split that a name means, without downloading its images. A name without a split means the only one with labels;
 * training splits are considered only if no other split has labels.
 * @throws GeogapError `no-labelled-split`, `many-splits`, and those of `describeRepository` and `candidateSplits`
 */
export async function selectHubSplit(
  name: string,
  { env, network }: HubDatasetOptions = {},
  map: Readonly<Record<string, string>> = {},
): Promise<HubSelection> {
  const { repo, revision } = parseHubDatasetName(name)
  const options = { env, network }
  const wanted: HubRevision = { repo, repoType: 'dataset', revision }
  const repository = await describeRepository(wanted, options)
  const source = { ...wanted, revision: repository.commit }
  const folder = snapshotFolder(hubSettings(env).cache, source, repository.commit)
  const labelled = (split: HubSplit): Promise<boolean> =>
    hasLabels(split, { source, options, folder, columns: labelColumns(split, map) })
  const { split, notes } = await chooseSplit(name, candidateSplits(name, repository), labelled)
  const companions = companionFiles(split, repository)
  const missing: HubListedFile[] = []
  for (const file of [...companions, ...split.files])
    if ((await fileBytes(join(folder, file.path))) !== file.size) missing.push(file)
  return { name, source, repository, split, notes, companions, folder, missing }
}

const isTraining = ({ split }: HubSplit): boolean => split === 'train'

async function chooseSplit(
  name: string,
  candidates: readonly HubSplit[],
  labelled: (split: HubSplit) => Promise<boolean>,
): Promise<{ split: HubSplit; notes: string[] }> {
  const evaluated = candidates.filter(one => !isTraining(one))
  const without: string[] = []
  for (const group of [evaluated, candidates.filter(isTraining)]) {
    const found: HubSplit[] = []
    for (const split of group)
      if (await labelled(split)) found.push(split)
      else without.push(split.split)
    if (found.length > 1)
      throw inputError(
        'many-splits',
        `${name} has several splits with labels: ${found.map(({ split }) => split).join(', ')}; choose one, as in ${splitName(name, found[0]!)}`,
      )
    if (found[0])
      return {
        split: found[0],
        notes: without.map(unlabelledSplitNote),
      }
  }
  throw inputError(
    'no-labelled-split',
    `${name} has no split with labels; without any are: ${without.join(', ')} (say which column holds the class: --map label=COLUMN)`,
  )
}

/** Returns the name of a data set with a split of it. */
function splitName(name: string, { config, split }: HubSplit): string {
  const { part } = parseHubDatasetName(name)
  const plain = part === undefined ? name : name.slice(0, -part.length - 1)
  return `${plain}:${config === 'default' ? split : `${config}/${split}`}`
}

/** Returns the columns that may hold the class: the usual ones after a column map, then the only one whose values the card names. */
export function labelColumns(
  { classColumns }: HubSplit,
  map: Readonly<Record<string, string>>,
): string[] {
  const usual = labelColumnNames(map)
  const named = [...classColumns.keys()]
  return named.length === 1 ? [...usual, named[0]!] : usual
}

interface LabelSearch {
  source: HubRevision
  options: HubOptions
  folder: string
  columns: readonly string[]
}

/** Returns whether a split has labels, by the footer of its first Parquet file: hidden labels are all -1. */
async function hasLabels(split: HubSplit, search: LabelSearch): Promise<boolean> {
  const [first] = split.files
  if (split.form !== 'parquet' || first === undefined) return true
  const here = join(search.folder, first.path)
  const found =
    (await fileBytes(here)) === first.size
      ? await columnBounds(here)
      : await withTempDir(async folder => {
          const file = join(folder, basename(first.path))
          await writeFooter(file, first, search)
          return columnBounds(file)
        })
  const column = search.columns.find(name => found.some(one => one.path[0] === name))
  if (column === undefined) return false
  const bounds = found.filter(({ path }) => path[0] === column)
  return bounds.some(({ most }) => most === null || !(Number(most) < 0))
}

/** Returns the columns of a Parquet file, by row group, with the largest value that the footer states. */
async function columnBounds(file: string): Promise<{ path: string[]; most: string | null }[]> {
  const { rows } = await selectFromFile(
    file,
    'SELECT path_in_schema AS path, coalesce(stats_max_value, stats_max) AS most FROM parquet_metadata($1)',
  )
  return rows.map(({ path, most }) => ({
    path: (path as string).split(', '),
    most: most as string | null,
  }))
}

const tailBytes = 1 << 16

/** Writes a file of the length of a Parquet file on the hub that has its footer and no rows. */
async function writeFooter(
  file: string,
  { path, size }: HubListedFile,
  { source, options }: LabelSearch,
): Promise<void> {
  const name = { ...source, file: path }
  const readFrom = (offset: number): Promise<Buffer> =>
    readRemoteTail(name, Math.max(0, offset), options)
  let tail = await readFrom(size - tailBytes)
  const length = tail.length >= 8 ? tail.readUInt32LE(tail.length - 8) + 8 : 0
  if (length > tail.length && length <= size) tail = await readFrom(size - length)
  const handle = await open(file, 'wx')
  try {
    await writeFully(handle, Buffer.from('PAR1'), 0)
    await writeFully(handle, tail, size - tail.length)
  } finally {
    await handle.close()
  }
}

/** Returns the bytes of files together. */
export const totalSize = (files: readonly HubListedFile[]): number =>
  files.reduce((sum, { size }) => sum + size, 0)

/** The files beside shards that say what they hold. */
const companionNames = ['classnames.txt', 'nshards.txt', 'dataset_type.txt']

function companionFiles({ files, form }: HubSplit, { files: all }: HubRepository): HubListedFile[] {
  if (form === 'parquet') return []
  if (form === 'images')
    return all.filter(
      ({ path }) =>
        isMetadataName(basename(path)) &&
        files.some(file => dirname(path) === '.' || file.path.startsWith(`${dirname(path)}/`)),
    )
  const beside = dirname(files[0]!.path)
  const folders = new Set([beside, dirname(beside), '.'])
  return all.filter(
    ({ path }) => companionNames.includes(basename(path)) && folders.has(dirname(path)),
  )
}

/**
 * Downloads the missing files of a split after reporting its terms. Files in the hub cache are not downloaded again, and
 * interrupted downloads are continued.
 * @throws GeogapError `disk-full` before the first byte where the disk is too small, and those of `hubFile`
 */
export async function downloadHubSplit(
  selection: HubSelection,
  { env, network, onTerms, onDownload }: HubDatasetOptions = {},
): Promise<void> {
  const { name, missing, source } = selection
  if (missing.length === 0) return
  const total = totalSize(missing)
  const { cache, offline, endpoint } = hubSettings(env)
  if (!offline) {
    const free = await freeDiskBytes(cache)
    if (free !== null && free < total)
      throw storageError(
        'disk-full',
        `${name} needs ${bytesText(total)}, and ${cache} has ${bytesText(free)} free; set HF_HOME to a folder on a larger disk`,
      )
    onTerms?.(termsText(selection, endpoint))
  }
  let before = 0
  for (const { path, size } of missing) {
    const progress = (done: number): void => onDownload?.(name, before + done, total)
    await hubFile({ ...source, file: path, bytes: size }, { env, network, progress })
    before += size
  }
  onDownload?.(name, total, total)
}

const maxTermsLength = 2000

/** Returns the licence and terms of a data set, as its card states them, and what will be downloaded. */
function termsText(
  { name, source, repository: { card, gated, commit }, split, missing }: HubSelection,
  endpoint: string,
): string {
  const textOf = (key: string): string | undefined => {
    const value = card[key]
    const parts = (Array.isArray(value) ? value : [value]).filter(
      part => typeof part === 'string' && part.trim() !== '',
    )
    return parts.length > 0 ? parts.join(', ').slice(0, maxTermsLength) : undefined
  }
  const licence = ['license', 'license_name', 'license_link'].flatMap(key => textOf(key) ?? [])
  const page = pageUrl(source, endpoint)
  return [
    `${name}: ${countText(missing.length, 'file')} of its split ${split.split} (${bytesText(totalSize(missing))}) at commit ${commit.slice(0, 12)}`,
    `terms: ${licence.length > 0 ? `${licence.join(', ')}, as its card says` : 'its card states no licence'}; see ${page}`,
    ...(gated ? [`gated: its terms were accepted at ${page} by the account of your token`] : []),
    ...['extra_gated_heading', 'extra_gated_prompt'].flatMap(key => textOf(key) ?? []),
  ].join('\n')
}
