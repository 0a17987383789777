import { ownValue } from '../../lib/ownValue.ts'
import { inputError } from '../../lib/errors.ts'
import { sha256 } from '../../lib/hash.ts'
import type { Benchmark, ReadBenchmarkOptions } from './benchmark.ts'
import { type RawDataset } from '../build.ts'
import { unknownClassProblem } from './classFolderSamples.ts'
import type { GroupValue, Sample, LabelMap, Problem } from '../dataset.ts'
import type { ImageSource } from '../../lib/archive/member.ts'
import { mapLimited } from '../../lib/concurrency.ts'
import { incomeGroup, incomeScheme } from '../labels/incomes.ts'
import { labelling, hasSameIndices, type Labelling } from '../labels/labelMap.ts'
import {
  balanceRegions,
  countSharedHouseholds,
  splitByHousehold,
  type SplitPart,
} from './splits.ts'
import { parsePythonList, readTableEntry, rawCellText } from '../readTable.ts'
import { imageOf, type FileTree } from '../tree.ts'

const csvName = (part: SplitPart): string => `images_v2_imagenet_${part}.csv`

/** Tells whether a name is that of one of MLCommons' tables, of which only those of the two parts are read. */
const isDollarStreetTable = (name: string): boolean =>
  /^images_v2(_imagenet_(train|test))?\.csv$/.test(name)

const regionNames: Record<string, string> = {
  af: 'Africa',
  am: 'Americas',
  as: 'Asia',
  eu: 'Europe',
}
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
  terms: 'CC BY 4.0 and CC BY-SA 4.0 (MLCommons; photographs of Gapminder)',
  source: 'https://mlcommons.org/datasets/dollar-street/',
  expectedCounts: variant => ({
    images: variant === 'published' ? 4308 : null,
    classes: 96,
    regions: 4,
  }),
  variants: ['household', 'published', 'household-balanced'].flatMap(split => [
    split,
    `${split}/train`,
  ]),
  howToGet:
    'the-dollar-street-dataset.zip of Kaggle (https://www.kaggle.com/datasets/mlcommons/the-dollar-street-dataset), as it is or unpacked as dollarstreet/ with images_v2_imagenet_{train,test}.csv and assets/',
  downloads: [],
  hub: {
    name: 'hf:djghosh/wds_dollar_street_test',
    difference:
      "DataComp's subset: 3,503 images of 58 classes with income groups, other than the paper's split",
  },
  candidatePaths: () => [
    'dollarstreet',
    'dollar-street',
    'dataset_dollarstreet',
    'the-dollar-street-dataset',
  ],
  isRootEntry: isDollarStreetTable,
  marks: async root => ({
    fits: (await root.topEntries()).some(({ name }) => isDollarStreetTable(name)),
  }),
  read: readDollarStreet,
}

interface DollarStreetRow {
  household: string
  region: string
  cells: Record<string, unknown>
}

async function readDollarStreet(
  tree: FileTree,
  options: ReadBenchmarkOptions,
): Promise<RawDataset> {
  const [split, part = 'test'] = options.variant.split('/') as [string, SplitPart?]
  const train = await readRows(tree, 'train')
  const test = await readRows(tree, 'test')
  const rules = await labelling('dollarstreet-paper', options.labels)
  const rows = splitRows(split, { train, test })[part]
  const images = await locateRowImages(tree, rows)
  const stated = rules.space.kind === 'imagenet-1k' && options.labels === undefined
  const items: Sample[] = []
  const problems: Problem[] = []
  let asMapped = true
  for (const [i, row] of rows.entries()) {
    const topics = parsePythonList(rawCellText(row.cells['topics']) ?? '')
    const label = topics.find(topic => rules.accepted(topic))
    const id = rawCellText(row.cells['id'])
    if (id === null)
      problems.push({
        id: `row ${i + 1}`,
        code: 'no-id',
        message: `no id in row ${i + 1} of ${split}`,
      })
    else if (label === undefined)
      problems.push(unknownClassProblem(id, `topics ${topics.join(', ') || '(none)'}`))
    else {
      const mapped = [...new Set(topics.flatMap(topic => rules.accepted(topic) ?? []))]
      const labels = stated ? (statedIndices(row, rules) ?? mapped) : mapped
      asMapped &&= hasSameIndices(labels, mapped)
      items.push({ id, ...images[i]!, labels, label, groups: groupsOf(row) })
    }
  }
  return {
    name: `dollarstreet/${options.variant}`,
    samples: items,
    problems,
    space: rules.space,
    labelMap: asMapped ? rules.labelMap : statedLabelMap(items),
    columns: Object.keys(groupsOf({ household: '', region: '', cells: {} })),
    notes:
      split === 'published'
        ? [
            `the published split shares ${countSharedHouseholds(train, test)} households between training and test`,
          ]
        : [],
  }
}

type SplitRows = Record<SplitPart, DollarStreetRow[]>

function splitRows(split: string, published: SplitRows): SplitRows {
  if (split === 'published') return published
  const { train, test } = splitByHousehold(
    [...published.train, ...published.test],
    testShare,
    splitSeed,
  )
  return split === 'household'
    ? { train, test }
    : { train: balanceRegions(train, splitSeed), test: balanceRegions(test, splitSeed) }
}

const requiredColumns = [
  'id',
  'topics',
  'place',
  'imageRelPath',
  'region.id',
  'country.name',
  'income',
]

async function readRows(tree: FileTree, part: SplitPart): Promise<DollarStreetRow[]> {
  const entry = await tree.find(csvName(part))
  if (!entry)
    throw inputError(
      'missing-file',
      `Dollar Street in ${tree.location} lacks ${csvName(part)}, which is in MLCommons' archive; there are: ${await topNamesText(tree)}`,
    )
  const { columns, rows } = await readTableEntry(entry)
  const lacking = requiredColumns.find(column => !columns.includes(column))
  if (lacking)
    throw inputError(
      'unknown-column',
      `no column ${lacking} in ${csvName(part)}; columns: ${columns.join(', ')}`,
    )
  return rows.map(cells => ({
    household: rawCellText(cells['place']) ?? '',
    region: rawCellText(cells['region.id']) ?? '',
    cells,
  }))
}

const topNamesText = async (tree: FileTree): Promise<string> =>
  (await tree.topEntries()).map(({ name }) => name).join(', ')

async function locateRowImages(
  tree: FileTree,
  rows: readonly DollarStreetRow[],
): Promise<{ image: ImageSource; bytes: number | null }[]> {
  const files = new Map(
    (await tree.list('assets').catch(() => [])).map(entry => [entry.path, entry]),
  )
  return mapLimited(rows, 32, async ({ cells }) => {
    const path = (rawCellText(cells['imageRelPath']) ?? '').replace(/^\.?\//, '')
    return imageOf(files.get(path) ?? (await tree.find(path)), `${tree.location}/${path}`)
  })
}

function groupsOf({ household, region, cells }: DollarStreetRow): Record<string, GroupValue> {
  const income = rawCellText(cells['income']) === null ? null : Number(cells['income'])
  return {
    region: ownValue(regionNames, region) ?? null,
    country: rawCellText(cells['country.name']),
    income,
    income_group: incomeGroup(quartiles, income),
    household: household === '' ? null : household,
  }
}

/** The file's own class indices, which are the released map; the paper prints that map by topic. */
function statedIndices(
  { cells }: DollarStreetRow,
  { space }: Labelling,
): readonly number[] | undefined {
  const indices = parsePythonList(rawCellText(cells['imagenet_sysnet_id']) ?? '')
  return indices.length > 0 ? [...new Set(indices.flatMap(space.resolve))] : undefined
}

function statedLabelMap(items: readonly Sample[]): LabelMap {
  const pairs = new Set(
    items.map(({ label, labels }) => JSON.stringify([label, [...labels].sort()])),
  )
  return { name: 'dollarstreet-stated', hash: sha256(JSON.stringify([...pairs].sort())) }
}
