/*
 * Where unlabelled images come from, from names to results (appendix F): references with regions and queries are images, whose
 * embeddings are computed once and kept, or embeddings that are stored already: kept ones, or `.npy` files as LAION has them.
 */
import { stat } from 'node:fs/promises'
import { extname } from 'node:path'
import { finish } from '../datasets/build.ts'
import { isImageName, toItem } from '../datasets/benchmarks/classFolders.ts'
import { type Dataset } from '../datasets/dataset.ts'
import { ownSpace } from '../datasets/labels/labels.ts'
import { type DatasetSpec, openDataset } from '../datasets/open.ts'
import { regionFinder, regionScheme } from '../datasets/labels/regions.ts'
import { readTable, text } from '../datasets/tables.ts'
import { archiveKinds, openTree } from '../datasets/tree.ts'
import { inputError } from '../lib/errors.ts'
import { picked } from '../models/runtime/head.ts'
import { namedModel } from '../models/named.ts'
import { recordStudy } from '../results/studies.ts'
import { type Prepared } from '../evaluate/evaluateDataset.ts'
import { prepared } from '../evaluate/targets.ts'
import { type Embeddings, embeddingsOf, joined, openNpy } from './embeddings.ts'
import { type KeepOptions, keepFeatures, type Kept, readNpy } from './features.ts'
import { featuresIn } from './keptEvaluations.ts'
import { type Origins, originsOf, paperKs, storedVotes } from './origins.ts'

export interface PlacementOptions extends KeepOptions {
  /** Embeds images; not needed where all embeddings are stored. */
  model?: string
  /** Who made `.npy` files that do not say it themselves. */
  encoder?: string
  /** A data set, a folder of kept features, or a `.npy` file with a Parquet file of its rows' regions beside it. */
  reference: string
  /** Data sets, folders or archives of images, folders of kept features, or `.npy` files. */
  queries: readonly string[]
  open?: Omit<DatasetSpec, 'name'>
  /** Numbers of neighbours; the paper's 3, 5 … 113 as far as there are references by default. */
  ks?: readonly number[]
  onDownload?: (model: string, done: number, total: number | undefined) => void
  onSearch?: (done: number, total: number) => void
}

export interface Placement extends Origins {
  notes: string[]
  /** Seconds of the search alone. */
  seconds: number
}

/**
 * Classifies the queries by their nearest references and records the study `neighbours` of `out`.
 * @throws GeogapError `different-encoder`, `unknown-encoder`, `empty-region`, and what opening and searching throw
 */
export async function placement(options: PlacementOptions): Promise<Placement> {
  const { out, onSearch } = options
  const open = opener(options)
  const found = await open(options.reference, name => openDataset({ ...options.open, name }))
  const { references, regions, notes } = await withRegions(found, options)
  const queries: Embeddings[] = []
  for (const name of options.queries) queries.push((await open(name, unlabelled)).embeddings)
  const ks = options.ks ?? paperKs.filter(k => k <= references.count)
  const started = performance.now()
  const all = joined(queries)
  onSearch?.(0, all.count)
  const origins = await originsOf({ references, regions, queries: all, ks, ...(onSearch && { onProgress: onSearch }) })
  await recordStudy(out, 'neighbours', storedVotes(origins))
  return { ...origins, notes, seconds: (performance.now() - started) / 1000 }
}

interface Opened {
  embeddings: Embeddings
  /** What is known of each row; of a `.npy` file, its path. */
  from: Kept | string
}

function opener({ model, encoder, onDownload, ...options }: PlacementOptions) {
  let ready: Promise<Prepared> | undefined
  const load = async (name: string): Promise<Prepared> => {
    const spec = await namedModel(name)
    return prepared(spec, (done, total) => onDownload?.(spec.name, done, total))
  }
  return async (name: string, dataset: (name: string) => Promise<Dataset>): Promise<Opened> => {
    if (extname(name) === '.npy') {
      if (encoder === undefined) throw inputError('unknown-encoder', `${name} does not say who made it: --encoder NAME`)
      return { embeddings: await openNpy(name, encoder), from: name }
    }
    const [kept, ...more] = await featuresIn(name)
    if (more.length > 0)
      throw inputError(
        'bad-features',
        `${name} holds features of ${more.length + 1} evaluations: give the folder of one`,
      )
    if (kept) return ofKept(await kept.read())
    if (model === undefined) throw inputError('no-model', `${name} holds images: --model NAME to embed them`)
    return ofKept(await keepFeatures(await (ready ??= load(model)), await dataset(name), options))
  }
}

const ofKept = (kept: Kept): Opened => ({
  embeddings: embeddingsOf(kept.features.data, kept.features.width, kept.about.model),
  from: kept,
})

/** A folder or archive of images without labels; a manifest or benchmark with its own. */
async function unlabelled(name: string): Promise<Dataset> {
  const isFolder = await stat(name).then(
    found => found.isDirectory(),
    () => false,
  )
  if (!isFolder && !archiveKinds.includes(extname(name).toLowerCase())) return openDataset({ name, labels: 'original' })
  const entries = (await (await openTree(name)).list('')).filter(({ path }) => isImageName(path))
  if (entries.length === 0) throw inputError('no-images', `no images in ${name}`)
  return finish({ name, items: entries.map(entry => toItem(entry, [], '')), space: ownSpace([]) })
}

/** The references whose region is known, in memory. */
async function withRegions(
  { embeddings, from }: Opened,
  options: PlacementOptions,
): Promise<{ references: Embeddings; regions: string[]; notes: string[] }> {
  const stored = typeof from === 'string' ? await regionsBeside(from, options) : keptRegions(from)
  if (stored.length !== embeddings.count)
    throw inputError('bad-regions', `${stored.length} rows of regions for ${embeddings.count} embeddings`)
  const known = stored.flatMap((region, row) => (region === null ? [] : row))
  if (known.length === 0) throw inputError('empty-region', `no reference of ${options.reference} has a region`)
  const left = stored.length - known.length
  const all = typeof from === 'string' ? await readNpy(from) : from.features
  return {
    references: left === 0 ? embeddings : embeddingsOf(picked(all, known).data, all.width, embeddings.encoder),
    regions: known.map(row => stored[row]!),
    notes: left === 0 ? [] : [`${left} references without an embedding or a region are left out`],
  }
}

const keptRegions = ({ items, status }: Kept): (string | null)[] =>
  items.map(({ groups }, row) => (status[row] === 'ok' ? text(groups['region']) : null))

/** The column `region` of the Parquet file beside a `.npy` file, or regions from its countries by a scheme. */
async function regionsBeside(file: string, { open }: PlacementOptions): Promise<(string | null)[]> {
  const beside = file.replace(/\.npy$/, '.parquet')
  const { columns, rows } = await readTable(beside)
  if (columns.includes('region')) return rows.map(row => text(row['region']))
  if (open?.regions === undefined || !columns.includes('country'))
    throw inputError('no-regions', `no column region in ${beside}; with a column country: --regions SCHEME`)
  const find = regionFinder(await regionScheme(open.regions))
  return rows.map(row => find(text(row['country']) ?? '') ?? null)
}
