/** Stored results of a made-up world, as `openRun` would give them, without pictures or models. */
import { suites } from '../../../src/datasets/benchmarks/index.ts'
import { type GroupValue } from '../../../src/datasets/dataset.ts'
import { testbed } from '../../../src/models/testbed.ts'
import { type DatasetRecord, type Failure } from '../../../src/results/records.ts'
import { type StudyValues } from '../../../src/results/studies.ts'
import { type StoredEvaluation } from '../../../src/results/storedEvaluations.ts'
import { type CountsCell } from '../../../src/results/counts.ts'
import { randomFor, type Random } from '../../../src/lib/random.ts'
import { type Run, createRun } from '../../../src/results/run.ts'

export const madeUp = 'a test draws these results by rule.'

interface Place {
  region: string
  country: string
  /** Added to the accuracy of the best model. */
  shift: number
}

const countriesOf: Record<string, string> = {
  Europe:
    'France Germany Spain Italy Romania Poland Sweden Ukraine Austria Netherlands Portugal Greece Ireland Serbia Türkiye',
  Americas:
    'Brazil Colombia Mexico Peru Bolivia Guatemala Haiti Argentina Canada Chile Paraguay Jamaica',
  Asia: 'China India Nepal Bangladesh Indonesia Thailand Pakistan Jordan Iran Vietnam Mongolia Cambodia Kazakhstan Japan Singapore',
  Africa:
    "Nigeria Kenya Egypt Ghana Rwanda Malawi Cameroon Burundi Ethiopia Tunisia Zimbabwe Togo Tanzania Somalia Liberia Côte_d'Ivoire Angola Zambia",
}
const shifts: Record<string, number> = { Europe: 0.08, Americas: 0.03, Asia: -0.01, Africa: -0.09 }
const incomes = ['Q1', 'Q2', 'Q3', 'Q4']

export interface WorldOptions {
  models: number
  /** Data set names, the first the reference. */
  standard?: readonly string[]
  geographic?: readonly string[]
  regions?: readonly string[]
  countries?: number
  classes?: number
  /** A class has one income group in each country, which makes a quarter of the cells. */
  sparse?: boolean
  /** With stored training experiments. */
  studies?: boolean
  /** Names of the paper's testbed instead of made-up ones. */
  catalogue?: boolean
  /** Turns plain names into other ones. */
  rename?: (name: string) => string
  /** This many of the best models are zero-shot. */
  zeroShot?: number
  seed?: number
  problems?: boolean
  madeUp?: boolean
}

const benchmarks = [...suites['standard']!, 'imagenet-c']

/** Steepness of accuracy against the reference's, and accuracy of a model that has 90 % there. */
const lines: Record<string, readonly [slope: number, top: number]> = {
  'imagenet-1k': [1, 0.9],
  'imagenet-v2': [1.18, 0.82],
  'imagenet-sketch': [1.37, 0.62],
  'imagenet-r': [1.5, 0.72],
  'imagenet-a': [1.4, 0.6],
  objectnet: [1.46, 0.62],
  'imagenet-c': [1.1, 0.72],
  dollarstreet: [0.53, 0.55],
  geode: [0.8, 0.86],
}

const same = (name: string): string => name

export function madeUpRun(options: WorldOptions): Run {
  const {
    standard = benchmarks.slice(0, 3),
    geographic = ['dollarstreet', 'geode'],
    rename = same,
  } = options
  const draw = randomFor(options.seed ?? 1, 'world')
  const models = Array.from({ length: options.models }, (_, i) => {
    const skill = options.models === 1 ? 0.8 : 0.6 + (0.3 * i) / (options.models - 1)
    return {
      name: rename(options.catalogue ? catalogueName(i) : modelName(i)),
      skill: skill + 0.02 * (draw() - 0.5),
    }
  })
  const cells: CountsCell[] = []
  const entries: StoredEvaluation[] = []
  const datasets = new Map<string, DatasetRecord>()
  for (const dataset of [...standard, ...geographic]) {
    const places = geographic.includes(dataset) ? placesOf(options) : []
    const layout = cellLayout(places, options, draw)
    const images = layout.reduce((sum, { n, errors }) => sum + n + errors, 0)
    const columns = places.length > 0 ? ['region', 'country', 'income_group'] : []
    datasets.set(dataset, note(dataset, images, columns, options))
    for (const model of models) {
      const { name, skill } = model
      const [slope, top] = lines[dataset] ?? [0.8, 0.7]
      const noise = 0.03 * (draw() - 0.5)
      const accuracy = top + slope * (skill - 0.9) + (dataset === 'imagenet-1k' ? 0 : noise)
      const spread = Math.max(0.2, (skill - 0.5) / 0.4)
      for (const { shift, n, errors, ...cell } of layout) {
        const share = Math.min(0.99, Math.max(0.01, accuracy + spread * shift))
        const top1 = Math.min(
          n,
          Math.max(0, Math.round(n * share + (draw() - 0.5) * Math.sqrt(n * share * (1 - share)))),
        )
        const top5 = Math.min(n, top1 + Math.round((n - top1) * 0.6))
        cells.push({
          model: name,
          dataset,
          preprocessing: 'native',
          ...cell,
          n,
          top1,
          top5,
          errors,
          unscored: 0,
        })
      }
      const zeroShot = models.indexOf(model) >= models.length - (options.zeroShot ?? 0)
      entries.push(entry(name, dataset, images, columns, zeroShot))
    }
  }
  const failures: Failure[] = options.problems
    ? [
        {
          model: 'broken<model>',
          dataset: geographic[0]!,
          code: 'missing-tensor',
          message: 'no tensor head.weight',
        },
      ]
    : []
  return createRun({
    dir: 'results',
    entries,
    datasets,
    failures,
    cells,
    ...(options.studies ? { studies: studies(draw) } : {}),
  })
}

function placesOf({
  regions = Object.keys(countriesOf),
  countries = 16,
  rename = same,
}: WorldOptions): Place[] {
  const all = regions.map(region =>
    (countriesOf[region] ?? `${region}land`)
      .split(' ')
      .map(country => ({ region, country: country.replace('_', ' ') })),
  )
  const rounds = Array.from(
    { length: countries },
    (_, i) => all[i % all.length]![Math.floor(i / all.length)],
  )
  return rounds
    .filter(place => place !== undefined)
    .map(({ region, country }, i) => ({
      region: rename(region),
      country,
      shift: (shifts[region] ?? 0) + 0.03 * Math.sin(i * 2.4),
    }))
}

interface Layout {
  label: string
  groups: Record<string, GroupValue>
  n: number
  errors: number
  shift: number
}

function cellLayout(
  places: readonly Place[],
  { classes = 12, sparse = false, rename = same }: WorldOptions,
  draw: Random,
): Layout[] {
  const labels = Array.from({ length: classes }, (_, i) => rename(className(i)))
  const hardness = labels.map(() => 0.5 * (draw() - 0.5))
  if (places.length === 0)
    return labels.map((label, c) => ({ label, groups: {}, n: 50, errors: 0, shift: hardness[c]! }))
  return places.flatMap(({ region, country, shift }, p) =>
    labels.flatMap((label, c) =>
      (sparse ? [(p + c) % incomes.length] : [...incomes.keys()]).map(q => ({
        label,
        groups: { region, country, income_group: incomes[q]! },
        n: 1 + Math.floor(6 * draw()) * (p % 9 === 8 ? 0 : 1),
        errors: draw() < 0.002 ? 1 : 0,
        shift: shift * (0.6 + 0.8 * Math.abs(Math.sin(c))) + hardness[c]! + 0.03 * (q - 1.5),
      })),
    ),
  )
}

const nouns =
  'stove,toothbrush,chair,front door,light switch,plate of food,spices,cooking pot,hand soap,dustbin,house,bicycle'.split(
    ',',
  )
const className = (i: number): string =>
  i < nouns.length ? nouns[i]! : `${nouns[i % nouns.length]!} ${Math.floor(i / nouns.length) + 1}`

const families = [
  'resnet50',
  'vit_base_patch16_224',
  'convnext_small',
  'efficientnet_b0',
  'regnety_032',
  'mixer_b16_224',
  'dla102',
]
const modelName = (i: number): string =>
  i < families.length
    ? families[i]!
    : `${families[i % families.length]!}.v${Math.floor(i / families.length) + 1}`

/** Spread over the testbed, so that all families and sizes are there. */
const catalogueName = (i: number): string => testbed()[(i * 5 + 1) % testbed().length]!.model

function note(
  name: string,
  images: number,
  columns: string[],
  options: WorldOptions,
): DatasetRecord {
  return {
    name,
    hash: `hash-${name}`,
    images,
    classes: [],
    columns,
    labelMap: 'by name',
    ...(options.madeUp === false ? {} : { madeUp }),
    problems: options.problems
      ? [{ id: 'photo <1>.jpg', code: 'missing-file', message: 'no file photo <1>.jpg in images' }]
      : [],
  }
}

function entry(
  model: string,
  dataset: string,
  images: number,
  columns: string[],
  zeroShot: boolean,
): StoredEvaluation {
  const created = '2026-01-02T03:04:05.000Z'
  const identity: StoredEvaluation['identity'] = {
    schema: 1,
    version: '0.1.0',
    runtime: 'onnxruntime 1.30.0',
    model,
    weights: ['a'.repeat(64)],
    preprocessing: 'native',
    steps: 'resize(256, bilinear) centerCrop(224) normalize(mean 0 0 0, std 1 1 1)',
    dataset,
    content: `hash-${dataset}`,
    images,
    labelMap: 'by name',
    choices: 'all',
    prompts: zeroShot ? 'hash' : '',
  }
  const shard = {
    identity,
    key: 'key',
    start: 0,
    end: images,
    rows: images,
    errors: 0,
    file: 'a.parquet',
    bytes: 1,
    columns,
    seconds: images / 50,
    machine: 'linux x64, test processor',
    created,
  }
  return {
    identity,
    key: `${model} ${dataset}`,
    folder: 'predictions',
    shards: [shard],
    damaged: [],
    rows: images,
    created,
  }
}

/** Two training experiments of three seeds each, and neighbours of 10,000 images. */
function studies(draw: Random): Map<string, StudyValues[]> {
  const seeds = (center: number): number[] => [0, 1, 2].map(() => center + 0.03 * (draw() - 0.5))
  const lastLayer = [0.05, 0.1, 0.25, 0.5, 0.75, 1].flatMap(setting => [
    { setting, metric: 'dollarstreet accuracy', values: seeds(0.55 + 0.2 * setting ** 0.3) },
    { setting, metric: 'geode accuracy', values: seeds(0.7 + 0.06 * setting ** 0.3) },
    { setting, metric: 'dollarstreet disparity', values: seeds(0.1 - 0.07 * setting ** 0.3) },
    { setting, metric: 'geode disparity', values: seeds(0.04) },
  ])
  const western = [0.5, 0.6, 0.7, 0.8, 0.9, 1].map(setting => ({
    setting,
    metric: 'europe minus africa',
    values: seeds(0.05 + 0.12 * (setting - 0.5)),
  }))
  const regions = { Europe: 0.42, Americas: 0.18, Asia: 0.22, Africa: 0.18 }
  const votes = [3, 15, 33, 65, 113].flatMap(k => {
    const lean = 0.06 * (1 - 3 / k)
    const shares = {
      west: 0.58 + lean,
      ...regions,
      Europe: regions.Europe + lean,
      Asia: regions.Asia - lean,
    }
    const counts = { references: 4000, queries: 10_000 }
    return Object.entries({ ...counts, ...shares }).map(([metric, value]) => ({
      setting: k,
      metric,
      values: [value],
    }))
  })
  return new Map<string, StudyValues[]>([
    ['neighbours', votes],
    ['last-layer', lastLayer],
    ['western-share', western],
  ])
}

/** The cases that every figure is looked at in. */
export const worlds: Readonly<Record<string, () => Run>> = {
  few: () => madeUpRun({ models: 4 }),
  demo: () =>
    madeUpRun({
      models: 10,
      standard: ['standard', 'sketch'],
      geographic: ['households'],
      countries: 8,
      classes: 8,
    }),
  one: () => madeUpRun({ models: 1, standard: ['imagenet-1k'], geographic: ['geode'] }),
  many: () =>
    madeUpRun({
      models: 98,
      standard: benchmarks,
      countries: 60,
      classes: 40,
      sparse: true,
      catalogue: true,
    }),
  'long names': () =>
    madeUpRun({
      models: 5,
      classes: 60,
      rename: name =>
        `${name} with an unusually long name, 名前, ${'and more '.repeat(3)}<b>&"quoted"`,
    }),
  catalogue: () => madeUpRun({ models: 40, catalogue: true, studies: true }),
  mixed: () => madeUpRun({ models: 7, zeroShot: 3 }),
  'small groups': () => madeUpRun({ models: 2, classes: 5, countries: 20 }),
  'one region': () => madeUpRun({ models: 3, regions: ['Africa'], countries: 5 }),
  empty: () =>
    createRun({ dir: 'results', entries: [], datasets: new Map(), failures: [], cells: [] }),
}
