import { inputError } from '../../lib/errors.ts'
import { sha256 } from '../../lib/hash.ts'
import type { Benchmark, ReadOptions } from './benchmark.ts'
import { type Draft } from '../build.ts'
import { unknownClass } from './classFolders.ts'
import type { GroupValue, Item, LabelMap, Problem } from '../dataset.ts'
import type { ImageSource } from '../../lib/archive/member.ts'
import { mapLimited } from '../../lib/concurrency.ts'
import { incomeGroup, incomeScheme } from '../labels/incomes.ts'
import { labelling, sameIndices, type Labelling } from '../labels/labelMap.ts'
import { balanceRegions, sharedHouseholds, splitByHousehold, type Part } from './splits.ts'
import { pythonList, readTableEntry, text } from '../tables.ts'
import { imageOf, type Tree } from '../tree.ts'

const csv = (part: Part): string => `images_v2_imagenet_${part}.csv`
const regions: Record<string, string> = { af: 'Africa', am: 'Americas', as: 'Asia', eu: 'Europe' }
const quartiles = incomeScheme('dollarstreet-paper-1')
const splitSeed = 1
const testShare = 0.2

/**
 * Dollar Street in MLCommons' layout (Rojas et al. 2022): two CSV files over `assets/`. Splits: `household` (no household
 * in both parts, 20 % of the images in the test part), `published` (the two files as they are, which share households),
 * `household-balanced` (besides, about equally many images a region). The test part is what is evaluated; `…/train` is
 * the other one.
 */
export const dollarstreet: Benchmark = {
  name: 'dollarstreet',
  title: 'Dollar Street',
  kind: 'geographic',
  terms: 'Creative Commons, as the source page says',
  source: 'https://mlcommons.org/datasets/dollar-street/',
  expected: variant => ({ images: variant === 'published' ? 4308 : null, classes: 96, regions: 4 }),
  variants: ['household', 'published', 'household-balanced'].flatMap(split => [split, `${split}/train`]),
  get: 'the archive that MLCommons publishes, as dollarstreet/ (or .zip, .tar) with images_v2_imagenet_{train,test}.csv and assets/',
  downloads: [],
  places: () => [
    'dollarstreet',
    'dataset_dollarstreet',
    'dollarstreet.zip',
    'dataset_dollarstreet.zip',
    'dollarstreet.tar',
  ],
  marks: name => name === csv('test'),
  read: readDollarStreet,
}

interface Row {
  household: string
  region: string
  cells: Record<string, unknown>
}

async function readDollarStreet(tree: Tree, options: ReadOptions): Promise<Draft> {
  const [split, part = 'test'] = options.variant.split('/') as [string, Part?]
  const [train, test] = [await readRows(tree, 'train'), await readRows(tree, 'test')]
  const rules = await labelling('dollarstreet-paper', options.labels)
  const rows = { household: byHousehold, 'household-balanced': balanced, published: asPublished }[split]!(train, test)[
    part
  ]
  const images = await imageSources(tree, rows)
  const stated = rules.space.kind === 'imagenet-1k' && options.labels === undefined
  const items: Item[] = []
  const problems: Problem[] = []
  let asMapped = true
  for (const [i, row] of rows.entries()) {
    const topics = pythonList(text(row.cells['topics']) ?? '')
    const label = topics.find(topic => rules.accepted(topic))
    const id = text(row.cells['id'])
    if (id === null) problems.push({ id: `row ${i + 1}`, code: 'no-id', message: `no id in row ${i + 1} of ${split}` })
    else if (label === undefined) problems.push(unknownClass(id, `topics ${topics.join(', ') || '(none)'}`))
    else {
      const mapped = [...new Set(topics.flatMap(topic => rules.accepted(topic) ?? []))]
      const labels = stated ? (statedIndices(row, rules) ?? mapped) : mapped
      asMapped &&= sameIndices(labels, mapped)
      items.push({ id, ...images[i]!, labels, label, groups: groupsOf(row) })
    }
  }
  const shared = sharedHouseholds(asPublished(train, test).train, asPublished(train, test).test)
  return {
    name: `dollarstreet/${options.variant}`,
    items,
    problems,
    space: rules.space,
    labelMap: asMapped ? rules.map : statedMap(items),
    columns: Object.keys(groupsOf({ household: '', region: '', cells: {} })),
    ...(split === 'published' && {
      notes: [`the published split shares ${shared} households between training and test`],
    }),
  }
}

const byHousehold = (train: Row[], test: Row[]): Record<Part, Row[]> =>
  splitByHousehold([...train, ...test], testShare, splitSeed)

const asPublished = (train: Row[], test: Row[]): Record<Part, Row[]> => ({ train, test })

function balanced(train: Row[], test: Row[]): Record<Part, Row[]> {
  const split = byHousehold(train, test)
  return { train: balanceRegions(split.train, splitSeed), test: balanceRegions(split.test, splitSeed) }
}

const needed = ['id', 'topics', 'place', 'imageRelPath', 'region.id', 'country.name', 'income']

async function readRows(tree: Tree, part: Part): Promise<Row[]> {
  const entry = await tree.find(csv(part))
  if (!entry) throw inputError('missing-file', `no ${csv(part)} in ${tree.where}`)
  const { columns, rows } = await readTableEntry(entry)
  const lacking = needed.find(column => !columns.includes(column))
  if (lacking)
    throw inputError('unknown-column', `no column ${lacking} in ${csv(part)}; columns: ${columns.join(', ')}`)
  return rows.map(cells => ({ household: text(cells['place']) ?? '', region: text(cells['region.id']) ?? '', cells }))
}

async function imageSources(tree: Tree, rows: readonly Row[]): Promise<{ image: ImageSource; bytes: number | null }[]> {
  const files = new Map((await tree.list('assets').catch(() => [])).map(entry => [entry.path, entry]))
  return mapLimited(rows, 32, async ({ cells }) => {
    const path = (text(cells['imageRelPath']) ?? '').replace(/^\.?\//, '')
    return imageOf(files.get(path) ?? (await tree.find(path)), `${tree.where}/${path}`)
  })
}

function groupsOf({ household, region, cells }: Row): Record<string, GroupValue> {
  const income = text(cells['income']) === null ? null : Number(cells['income'])
  return {
    region: regions[region] ?? null,
    country: text(cells['country.name']),
    income,
    income_group: incomeGroup(quartiles, income),
    household: household === '' ? null : household,
  }
}

/** The file's own class indices, which are the released map; the paper prints that map by topic. */
function statedIndices({ cells }: Row, { space }: Labelling): readonly number[] | undefined {
  const indices = pythonList(text(cells['imagenet_sysnet_id']) ?? '')
  return indices.length > 0 ? [...new Set(indices.flatMap(space.resolve))] : undefined
}

function statedMap(items: readonly Item[]): LabelMap {
  const pairs = new Set(items.map(({ label, labels }) => JSON.stringify([label, [...labels].sort()])))
  return { name: 'dollarstreet-stated', hash: sha256(JSON.stringify([...pairs].sort())) }
}
