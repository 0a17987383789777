import { readFileSync } from 'node:fs'
import { shared } from '../helpers/shared.ts'

const file = (name: string): string =>
  readFileSync(`${shared ?? ''}/golden/analysis/${name}`, 'utf8')

const rows = (name: string): string[][] =>
  file(name)
    .trim()
    .split('\n')
    .slice(1)
    .map(line => line.split(','))

export interface ImageRow {
  region: string
  country: string
  household: string
  income: string
  class: string
}

export interface GroupTruth {
  accuracy: Record<string, number>
  n: Record<string, number>
  wilson95: Record<string, [number, number]>
  disparity: number
  ratio: number
  best: string
  worst: string
}

export interface ModelTruth {
  accuracy: number
  n: number
  region: GroupTruth
  country: GroupTruth
  income: GroupTruth
  europe_minus_africa: number
  cluster_bootstrap95: { accuracy: [number, number]; region_disparity: [number, number] }
}

export interface PairTruth {
  table: [[number, number], [number, number]]
  mcnemar_exact_p: number
  bh_adjusted_p: number
}

/** The made-up outcomes: images, each model's 0/1 outcomes in the images' order, and what pandas and statsmodels give. */
export function outcomes(): {
  images: ImageRow[]
  correct: Map<string, Uint8Array>
  expected: { models: Record<string, ModelTruth>; pairs: Record<string, PairTruth> }
} {
  const position = new Map<string, number>()
  const images = rows('images.csv').map((cells, i) => {
    position.set(cells[0]!, i)
    return {
      region: cells[1]!,
      country: cells[2]!,
      household: cells[3]!,
      income: cells[4]!,
      class: cells[5]!,
    }
  })
  const correct = new Map<string, Uint8Array>()
  for (const [model, image, hit] of rows('outcomes.csv')) {
    if (!correct.has(model!)) correct.set(model!, new Uint8Array(images.length))
    correct.get(model!)![position.get(image!)!] = Number(hit)
  }
  return {
    images,
    correct,
    expected: JSON.parse(file('outcomes.expected.json')) as ReturnType<typeof outcomes>['expected'],
  }
}

export interface LineTruth {
  n: number
  progress_rate: number
  intercept: number
  r2: number
  slope_stderr: number
  p: number
  net_improvement: number
  spearman: number
  slope_ci95: [number, number]
}

/** Published accuracies (percent) of timm's models, and SciPy's lines. */
export function testbed(): {
  models: Record<string, number>[]
  expected: Record<string, LineTruth>
} {
  const [header] = file('published_timm_testbed.csv').split('\n')
  const names = header!.split(',')
  const models = rows('published_timm_testbed.csv').map(cells =>
    Object.fromEntries(names.slice(1).map((name, i) => [name, Number(cells[i + 1])])),
  )
  const truth = JSON.parse(file('published_timm_testbed.expected.json')) as {
    expected: Record<string, LineTruth>
  }
  return { models, expected: truth.expected }
}
