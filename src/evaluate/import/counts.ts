/** Stores counts by group that others published as rows of outcomes, so that every analysis of groups works on them. */
import { buildDataset, type RawDataset } from '../../datasets/build.ts'
import { benchmarkName } from '../../datasets/benchmarks/index.ts'
import { type Dataset, type Sample } from '../../datasets/dataset.ts'
import { isoCountryName } from '../../datasets/labels/countries.ts'
import { normalizeGroups } from '../../datasets/labels/normalizeGroups.ts'
import { applyRegions, readRegionScheme } from '../../datasets/labels/regions.ts'
import { inputError } from '../../lib/errors.ts'
import { type PreprocessingMode } from '../../lib/pixels/steps.ts'
import { ownValue } from '../../lib/ownValue.ts'
import { countText } from '../../lib/table/text.ts'
import { groupByKey } from '../../lib/tally.ts'
import { findModel } from '../../models/catalog.ts'
import { emptyPredictions, type Predictions } from '../../results/predictions.ts'
import { writeDatasetRecord } from '../../results/records.ts'
import { type RunTags } from '../../results/runRecords.ts'
import { createResultKey } from '../../results/schema.ts'
import { type CountsImport, type GroupCountsRow } from './countTables.ts'
import { describeFile, storeImported } from './storeImported.ts'

/** Where counts are stored. */
export interface CountsImportOptions {
  file: string
  preprocessing: PreprocessingMode
  /** Names of this run in `history`, part of no key. */
  tags?: RunTags | undefined
  out: string
}

/** Largest number of images of one model on one data set: each is a row. */
const maxImages = 5_000_000

/** Stores counts and returns what was stored and how the table was read, in one line. Errors: too-many-images. */
export async function importGroupCounts(
  { rows, notes }: CountsImport,
  options: CountsImportOptions,
): Promise<string> {
  const source = await describeFile(options.file)
  const said = new Set(notes)
  const done: string[] = []
  const sets = splitByColumns(rows)
  for (const [model, own] of groupByKey(sets, set => set.rows[0]!.model)) {
    const evaluations: ImportedCounts[] = []
    for (const set of own) evaluations.push(await prepareCounts(model, set))
    for (const { dataset } of evaluations) dataset.notes?.forEach(note => said.add(note))
    await storeCounts(evaluations, { ...options, source })
    done.push(...own.map(storedText))
  }
  return [...done, ...said].join('; ')
}

/** The counts of one model on one data set, by columns that are known together. */
interface CountsSet {
  dataset: string
  columns: readonly string[]
  rows: readonly GroupCountsRow[]
}

/**
 * Splits rows by model, data set and columns of groups. Counts by one column do not say how they fall into groups of another,
 * so a data set with counts by several columns becomes one for each: `NAME/by-region`.
 */
function splitByColumns(rows: readonly GroupCountsRow[]): CountsSet[] {
  const columnsOf = ({ groups }: GroupCountsRow): string[] => Object.keys(groups)
  return [...groupByKey(rows, row => JSON.stringify([row.model, row.dataset])).values()].flatMap(
    own => {
      const sets = [...groupByKey(own, row => JSON.stringify(columnsOf(row))).values()]
      return sets.map(set => {
        const columns = columnsOf(set[0]!)
        const name = benchmarkName(set[0]!.dataset)
        const dataset = sets.length === 1 ? name : `${name}/by-${columns.join('-')}`
        return { dataset, columns, rows: set }
      })
    },
  )
}

function storedText({ dataset, columns, rows }: CountsSet): string {
  const total = (count: (row: GroupCountsRow) => number): number =>
    rows.reduce((sum, row) => sum + count(row), 0)
  return `${countText(rows.length, 'group')} by ${columns.join(' × ')} of ${rows[0]!.model} on ${dataset}: ${total(row => row.correct).toLocaleString('en-US')} of ${countText(
    total(row => row.n),
    'image',
  )} right (counts)`
}

interface ImportedCounts {
  dataset: Dataset
  predictions: Predictions
}

async function prepareCounts(
  model: string,
  { dataset: name, columns, rows }: CountsSet,
): Promise<ImportedCounts> {
  const images = rows.reduce((sum, { n }) => sum + n, 0)
  if (images > maxImages)
    throw inputError(
      'too-many-images',
      `${images} images of ${model} on ${name}; at most ${maxImages} are read`,
    )
  const samples = rows.flatMap((row, i) => samplesOf(row, i))
  const normal = normalizeGroups(samples, columns)
  const raw: RawDataset = {
    name,
    samples: normal.samples,
    columns: columns.filter(column => column !== 'label'),
    notes: normal.notes,
    space: { kind: 'own', classes: [], resolve: () => [] },
  }
  const hasPlaces = columns.includes('country') && !columns.includes('region')
  const dataset = buildDataset(
    hasPlaces ? applyRegions(raw, await readRegionScheme(regionScheme)) : raw,
  )
  const predictions = emptyPredictions(model, images)
  let at = 0
  for (const { n, correct, correct5 } of rows) {
    predictions.rank.fill(1, at, at + correct)
    if (correct5 !== null) {
      predictions.rank.fill(2, at + correct, at + correct5)
      predictions.rank.fill(beyondFive, at + correct5, at + n)
    }
    at += n
  }
  return { dataset, predictions }
}

/** Regions as Dollar Street has them. */
const regionScheme = 'continents-1'
/** Stands for any rank after the fifth: only whether it is within five is stored. */
const beyondFive = 6

/** Returns one sample for each counted image of a row; right ones first. */
function samplesOf({ groups, n }: GroupCountsRow, row: number): Sample[] {
  const { label, ...others } = groups
  const country = ownValue(others, 'country')
  const values =
    country == null ? others : { ...others, country: isoCountryName(country) ?? country }
  return Array.from({ length: n }, (_, i) => ({
    id: `${row + 1}/${i + 1}`,
    image: { kind: 'file', file: '' },
    labels: [0],
    label: label ?? '',
    groups: values,
  }))
}

async function storeCounts(
  evaluations: readonly ImportedCounts[],
  { out, preprocessing, tags, source }: CountsImportOptions & { source: string },
): Promise<void> {
  const keyed = evaluations.map(({ dataset, predictions }) => {
    const { model } = predictions
    const identity = createResultKey(
      {
        runtime: 'imported',
        model,
        weights: [],
        preprocessing,
        steps: `counts from ${source}`,
        prompts: isZeroShotName(model) ? 'imported' : '',
        source: 'counts',
      },
      dataset,
    )
    return { identity, dataset, predictions }
  })
  for (const { dataset } of keyed) await writeDatasetRecord(out, dataset)
  await storeImported(out, keyed, tags)
}

/** Returns whether a model chooses among texts: by the catalogue, else by its name. */
const isZeroShotName = (model: string): boolean =>
  findModel(model)?.classes === 'zero-shot' || /clip|siglip|\balign\b|\bflava\b/i.test(model)
