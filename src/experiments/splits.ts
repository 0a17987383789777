/*
 * Training and test images of any data set whose items say their household and region. Dollar Street's own variants do the
 * same (`dollarstreet/household`, `…/published`, `…/household-balanced`); these are for the others and for made-up ones.
 */
import { type Item } from '../datasets/dataset.ts'
import { balanceRegions, sharedHouseholds, splitByHousehold } from '../datasets/benchmarks/splits.ts'
import { inputError, unknownName } from '../lib/errors.ts'

export const splitProtocols = ['household', 'published', 'household-balanced'] as const
export type SplitProtocol = (typeof splitProtocols)[number]

/** What training needs to know of an image beside its features. */
export type Labelled = Pick<Item, 'id' | 'label' | 'labels' | 'groups'>

export interface Split<T = Item> {
  train: T[]
  test: T[]
  /** What a reader of the result must know: shared households, images without one. */
  notes: string[]
}

/** Least share of the images that are for testing, but as published, and the seed of the draw. */
const [testShare, seed] = [0.2, 1]

const text = (item: Labelled, column: string): string => {
  const value = item.groups[column] ?? null
  return value === null ? '' : String(value)
}

/** An image whose household nobody knows is a household of its own. */
const housed = <T extends Labelled>(item: T) => ({
  item,
  household: text(item, 'household') || `image ${item.id}`,
  region: text(item, 'region'),
})

/**
 * Splits items into training and test parts. `household` (the default): no household is in both; `household-balanced`:
 * besides, each part has about as many images of every region, by leaving households out; `published`: by the group
 * column `split` (`train` or `test`), with a note that counts the households in both.
 * @throws GeogapError `unknown-split`, `bad-split` (a part is empty, no split column), `empty-region`.
 */
export function splitItems<T extends Labelled>(items: readonly T[], protocol: SplitProtocol = 'household'): Split<T> {
  if (!splitProtocols.includes(protocol)) throw unknownName('split', protocol, splitProtocols)
  const rows = items.map(item => housed(item))
  const parts = protocol === 'published' ? published(rows) : splitByHousehold(rows, testShare, seed)
  const { train, test } =
    protocol === 'household-balanced'
      ? { train: balanced(parts.train, 'training'), test: balanced(parts.test, 'test') }
      : parts
  for (const [name, part] of Object.entries({ training: train, test }))
    if (part.length === 0) throw inputError('bad-split', `the ${name} part of the ${protocol} split is empty`)
  return { train: train.map(row => row.item), test: test.map(row => row.item), notes: notesOn(train, test) }
}

type Row<T extends Labelled = Labelled> = ReturnType<typeof housed<T>>

function published<T extends Labelled>(rows: readonly Row<T>[]): { train: Row<T>[]; test: Row<T>[] } {
  const of = (part: string): Row<T>[] => rows.filter(({ item }) => text(item, 'split') === part)
  const [train, test] = [of('train'), of('test')]
  if (train.length + test.length < rows.length) {
    const other = rows.find(({ item }) => !['train', 'test'].includes(text(item, 'split')))!.item
    throw inputError('bad-split', `image ${other.id} has split ${text(other, 'split') || 'none'}, not train or test`)
  }
  return { train, test }
}

function balanced<T extends Labelled>(rows: readonly Row<T>[], part: string): Row<T>[] {
  const homeless = rows.find(({ region }) => region === '')
  if (homeless) throw inputError('empty-region', `image ${homeless.item.id} of the ${part} part has no region`)
  return rows.length === 0 ? [] : balanceRegions(rows, seed)
}

type Households = readonly { household: string }[]

/** Warns of households that are trained on and tested. */
export function sharedNote(train: Households, test: Households): string[] {
  const shared = sharedHouseholds(train, test)
  return shared > 0 ? [`${shared} households have images in both the training and the test part`] : []
}

function notesOn(train: readonly Row[], test: readonly Row[]): string[] {
  const unknown = [...train, ...test].filter(({ item }) => text(item, 'household') === '').length
  return [
    ...sharedNote(train, test),
    ...(unknown > 0 ? [`${unknown} images have no household; each counts as its own`] : []),
  ]
}

/**
 * Checks that every class trained on (the first accepted one of an image) is accepted by some image of the evaluation.
 * @throws GeogapError `class-not-evaluated` naming the classes that the evaluation lacks.
 */
export function requireEvaluated(train: readonly Labelled[], test: readonly Labelled[]): void {
  const tested = new Set(test.flatMap(({ labels }) => labels))
  const lacking = [...new Set(train.filter(({ labels }) => !tested.has(labels[0]!)).map(({ label }) => label))]
  if (lacking.length === 0) return
  const more = lacking.length > 5 ? ` and ${lacking.length - 5} more` : ''
  const names = `${lacking.slice(0, 5).join(', ')}${more}`
  throw inputError('class-not-evaluated', `classes in the training data that the evaluation lacks: ${names}`)
}
