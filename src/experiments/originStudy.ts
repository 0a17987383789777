/*
 * Classifies unlabelled images by region (appendix F), from names to results. References and queries are images, stored features,
 * or `.npy` files of embeddings as LAION publishes them.
 */
import { stat } from 'node:fs/promises'
import { extname } from 'node:path'
import { buildDataset } from '../datasets/build.ts'
import { isImageName, toSample } from '../datasets/benchmarks/classFolderSamples.ts'
import { type Dataset } from '../datasets/dataset.ts'
import { ownSpace } from '../datasets/labels/labelSpace.ts'
import { type DatasetSpec, openDataset } from '../datasets/open.ts'
import { regionFinder, readRegionScheme } from '../datasets/labels/regions.ts'
import { readTable, rawCellText } from '../datasets/readTable.ts'
import { archiveKinds, openTree } from '../datasets/tree.ts'
import { inputError } from '../lib/errors.ts'
import { selectRows } from '../models/runtime/head.ts'
import { recordStudy } from '../results/studies.ts'
import { type PreparedModel } from '../models/runtime/prepareModel.ts'
import { type Embeddings, embeddingsOf, joinEmbeddings, openNpy, readNpy } from './embeddings.ts'
import {
  type FeatureSet,
  type FeatureSetOptions,
  loadOrComputeFeatures,
  openFeaturesIn,
} from './features.ts'
import { prepareNamedModel } from './pretrained.ts'
import { type Origins, classifyOrigins, paperKs, studyValuesOfVotes } from './classifyOrigins.ts'

export interface OriginStudyOptions extends FeatureSetOptions {
  /** The model that computes features; not needed if all are stored. */
  model?: string
  /** The model that `.npy` files are of. */
  encoder?: string
  /** A data set, a folder of kept features, or a `.npy` file with a Parquet file of its rows' regions beside it. */
  reference: string
  /** Data sets, folders or archives of images, folders of kept features, or `.npy` files. */
  queries: readonly string[]
  open?: Omit<DatasetSpec, 'name'>
  /** Numbers of neighbours. Default: the paper's 3, 5 … 113, up to the number of references. */
  ks?: readonly number[]
  onDownload?: (model: string, done: number, total: number | undefined) => void
  onSearch?: (done: number, total: number) => void
}

export interface OriginStudy extends Origins {
  notes: string[]
  /** Seconds of the search alone. */
  seconds: number
}

/**
 * Classifies the queries by their nearest references and records the study `neighbours` of `out`.
 * @throws GeogapError `different-encoder`, `unknown-encoder`, `empty-region`, and errors of opening and searching.
 */
export async function runOriginStudy(options: OriginStudyOptions): Promise<OriginStudy> {
  const { out, onSearch } = options
  const open = createOpener(options)
  const found = await open(options.reference, name => openDataset({ ...options.open, name }))
  const { references, regions, notes } = await keepRowsWithRegion(found, options)
  const queries: Embeddings[] = []
  for (const name of options.queries) queries.push((await open(name, openUnlabelled)).embeddings)
  const ks = options.ks ?? paperKs.filter(k => k <= references.count)
  const started = performance.now()
  const all = joinEmbeddings(queries)
  onSearch?.(0, all.count)
  const origins = await classifyOrigins({
    references,
    regions,
    queries: all,
    ks,
    onProgress: onSearch,
  })
  await recordStudy(out, { study: 'neighbours' }, studyValuesOfVotes(origins))
  return { ...origins, notes, seconds: (performance.now() - started) / 1000 }
}

interface OpenedEmbeddings {
  embeddings: Embeddings
  /** The features with their samples, or the path of a `.npy` file. */
  source: FeatureSet | string
}

function createOpener({ model, encoder, onDownload, ...options }: OriginStudyOptions) {
  let ready: Promise<PreparedModel> | undefined
  return async (
    name: string,
    dataset: (name: string) => Promise<Dataset>,
  ): Promise<OpenedEmbeddings> => {
    if (extname(name) === '.npy') {
      if (encoder === undefined)
        throw inputError('unknown-encoder', `${name} does not say who made it: --encoder NAME`)
      return { embeddings: await openNpy(name, encoder), source: name }
    }
    const [kept, ...more] = await openFeaturesIn(name)
    if (more.length > 0)
      throw inputError(
        'bad-features',
        `${name} holds features of ${more.length + 1} evaluations: give the folder of one`,
      )
    if (kept) return embeddingsOfFeatureSet(await kept.read())
    if (model === undefined)
      throw inputError('no-model', `${name} holds images: --model NAME to embed them`)
    return embeddingsOfFeatureSet(
      await loadOrComputeFeatures(
        await (ready ??= prepareNamedModel(model, onDownload)),
        await dataset(name),
        options,
      ),
    )
  }
}

const embeddingsOfFeatureSet = (kept: FeatureSet): OpenedEmbeddings => ({
  embeddings: embeddingsOf(kept.features.data, kept.features.width, kept.description.model),
  source: kept,
})

/** Opens a folder or archive as images without labels, and a manifest or benchmark with its own. */
async function openUnlabelled(name: string): Promise<Dataset> {
  const isFolder = await stat(name).then(
    found => found.isDirectory(),
    () => false,
  )
  if (!isFolder && !archiveKinds.includes(extname(name).toLowerCase()))
    return openDataset({ name, labels: 'original' })
  const entries = (await (await openTree(name)).list('')).filter(({ path }) => isImageName(path))
  if (entries.length === 0) throw inputError('no-images', `no images in ${name}`)
  return buildDataset({
    name,
    samples: entries.map(entry => toSample(entry, [], '')),
    space: ownSpace([]),
  })
}

/** Returns the references whose region is known, in memory. */
async function keepRowsWithRegion(
  { embeddings, source }: OpenedEmbeddings,
  options: OriginStudyOptions,
): Promise<{ references: Embeddings; regions: string[]; notes: string[] }> {
  const stored =
    typeof source === 'string'
      ? await readRegionsBeside(source, options)
      : featureSetRegions(source)
  if (stored.length !== embeddings.count)
    throw inputError(
      'bad-regions',
      `${stored.length} rows of regions for ${embeddings.count} embeddings`,
    )
  const known = stored.flatMap((region, row) => (region === null ? [] : row))
  if (known.length === 0)
    throw inputError('empty-region', `no reference of ${options.reference} has a region`)
  const left = stored.length - known.length
  const all = typeof source === 'string' ? await readNpy(source) : source.features
  return {
    references:
      left === 0
        ? embeddings
        : embeddingsOf(selectRows(all, known).data, all.width, embeddings.encoder),
    regions: known.map(row => stored[row]!),
    notes: left === 0 ? [] : [`${left} references without an embedding or a region are left out`],
  }
}

const featureSetRegions = ({ samples: items, status }: FeatureSet): (string | null)[] =>
  items.map(({ groups }, row) => (status[row] === 'ok' ? rawCellText(groups['region']) : null))

/** Reads the column `region` of the Parquet file beside a `.npy` file, or maps its countries to regions by a scheme. */
async function readRegionsBeside(
  file: string,
  { open }: OriginStudyOptions,
): Promise<(string | null)[]> {
  const beside = file.replace(/\.npy$/, '.parquet')
  const { columns, rows } = await readTable(beside)
  if (columns.includes('region')) return rows.map(row => rawCellText(row['region']))
  if (open?.regions === undefined || !columns.includes('country'))
    throw inputError(
      'no-regions',
      `no column region in ${beside}; with a column country: --regions SCHEME`,
    )
  const find = regionFinder(await readRegionScheme(open.regions))
  return rows.map(row => find(rawCellText(row['country']) ?? '') ?? null)
}
