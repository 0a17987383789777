/*
 * Splits the images of any data set with households and regions into training and test images, as Dollar Street's own variants
 * do (`dollarstreet/household`, `…/published`, `…/household-balanced`).
 */
import { ownValue } from '../lib/ownValue.ts'
import { type Sample } from '../datasets/dataset.ts'
import {
  balanceRegions,
  countSharedHouseholds,
  splitByHousehold,
} from '../datasets/benchmarks/splits.ts'
import { inputError, unknownNameError } from '../lib/errors.ts'

export const splitProtocols = ['household', 'published', 'household-balanced'] as const
export type SplitProtocol = (typeof splitProtocols)[number]

/** The fields of a sample that training needs beside its features. */
export type LabelledSample = Pick<Sample, 'id' | 'label' | 'labels' | 'groups'>

export interface TrainTestSplit<T = Sample> {
  train: T[]
  test: T[]
  /** Sentences on shared households and images without one. */
  notes: string[]
}

/** Smallest share of test images, except in a published split. */
const testShare = 0.2
const seed = 1

const groupValueText = (item: LabelledSample, column: string): string => {
  const value = ownValue(item.groups, column) ?? null
  return value === null ? '' : String(value)
}

/** Adds the household and region; an image without a known household is a household of its own. */
const withHousehold = <T extends LabelledSample>(item: T) => ({
  item,
  household: groupValueText(item, 'household') || `image ${item.id}`,
  region: groupValueText(item, 'region'),
})

/**
 * Splits items into training and test parts. `household` (the default): no household is in both; `household-balanced`:
 * besides, each part has about as many images of every region, by leaving households out; `published`: by the group
 * column `split` (`train` or `test`), with a note that counts the households in both.
 * @throws GeogapError `unknown-split`, `bad-split` (a part is empty, no split column), `empty-region`.
 */
export function splitSamples<T extends LabelledSample>(
  items: readonly T[],
  protocol: SplitProtocol = 'household',
): TrainTestSplit<T> {
  if (!splitProtocols.includes(protocol)) throw unknownNameError('split', protocol, splitProtocols)
  const rows = items.map(item => withHousehold(item))
  const parts =
    protocol === 'published' ? publishedSplit(rows) : splitByHousehold(rows, testShare, seed)
  const { train, test } =
    protocol === 'household-balanced'
      ? { train: balancePart(parts.train, 'training'), test: balancePart(parts.test, 'test') }
      : parts
  for (const [name, part] of Object.entries({ training: train, test }))
    if (part.length === 0)
      throw inputError('bad-split', `the ${name} part of the ${protocol} split is empty`)
  return {
    train: train.map(row => row.item),
    test: test.map(row => row.item),
    notes: splitNotes(train, test),
  }
}

type HouseholdRow<T extends LabelledSample = LabelledSample> = ReturnType<typeof withHousehold<T>>

function publishedSplit<T extends LabelledSample>(
  rows: readonly HouseholdRow<T>[],
): { train: HouseholdRow<T>[]; test: HouseholdRow<T>[] } {
  const parts: Record<'train' | 'test', HouseholdRow<T>[]> = { train: [], test: [] }
  for (const row of rows) {
    const part = groupValueText(row.item, 'split')
    if (part !== 'train' && part !== 'test')
      throw inputError(
        'bad-split',
        `image ${row.item.id} has split ${part || 'none'}, not train or test`,
      )
    parts[part].push(row)
  }
  return parts
}

function balancePart<T extends LabelledSample>(
  rows: readonly HouseholdRow<T>[],
  part: string,
): HouseholdRow<T>[] {
  const homeless = rows.find(({ region }) => region === '')
  if (homeless)
    throw inputError('empty-region', `image ${homeless.item.id} of the ${part} part has no region`)
  return rows.length === 0 ? [] : balanceRegions(rows, seed)
}

type HouseholdList = readonly { household: string }[]

/** Returns a warning of households that are in both parts. */
export function sharedHouseholdNote(train: HouseholdList, test: HouseholdList): string[] {
  const shared = countSharedHouseholds(train, test)
  return shared > 0
    ? [`${shared} households have images in both the training and the test part`]
    : []
}

function splitNotes(train: readonly HouseholdRow[], test: readonly HouseholdRow[]): string[] {
  const unknown = [...train, ...test].filter(
    ({ item }) => groupValueText(item, 'household') === '',
  ).length
  return [
    ...sharedHouseholdNote(train, test),
    ...(unknown > 0 ? [`${unknown} images have no household; each counts as its own`] : []),
  ]
}

/**
 * Checks that every class trained on (the first accepted one of an image) is accepted by some image of the evaluation.
 * @throws GeogapError `class-not-evaluated` naming the classes that the evaluation lacks.
 */
export function requireClassesEvaluated(
  train: readonly LabelledSample[],
  test: readonly LabelledSample[],
): void {
  const tested = new Set(test.flatMap(({ labels }) => labels))
  const lacking = [
    ...new Set(train.filter(({ labels }) => !tested.has(labels[0]!)).map(({ label }) => label)),
  ]
  if (lacking.length === 0) return
  const more = lacking.length > 5 ? ` and ${lacking.length - 5} more` : ''
  const names = `${lacking.slice(0, 5).join(', ')}${more}`
  throw inputError(
    'class-not-evaluated',
    `classes in the training data that the evaluation lacks: ${names}`,
  )
}
