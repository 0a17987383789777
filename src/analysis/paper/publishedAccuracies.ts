import { readJson } from '../../lib/archive/json.ts'
import { readFileSync } from 'node:fs'
import { type BenchmarkAccuracy } from '../../metrics/progress.ts'

/** Who published a number, where and when; every view of published numbers names it. */
export interface PublishedSource {
  id: 'timm' | 'open_clip'
  publisher: string
  page: string
  /** Day of the table's last change that these rows were read from. */
  date: string
  license: string
  /** What to know before comparing with own measurements. */
  note: string
}

export const publishedSources = readJson(
  new URL('./publishedSources.json', import.meta.url),
) as Readonly<Record<PublishedSource['id'], PublishedSource>>

/** A published accuracy of one of the paper's testbed rows. */
export interface PublishedRow extends BenchmarkAccuracy {
  /** Row of the paper's testbed (appendix A), such as `clip-vit32-openai`. */
  row: string
  /** Name and weights as the publisher has them, such as `resnet50.a1_in1k`: those that the testbed pins. */
  model: string
  /** 1,000-class head or zero-shot. */
  kind: '1K' | 'zero-shot'
  accuracy: number
  source: PublishedSource['id']
  /** Pixels of a side, one for each model; null if the publisher states none. */
  imageSize: number | null
}

/** Images of ImageNet's validation part, on which publishers measure. */
export const publishedImages = 50_000

/** Testbed rows for which neither publisher gives accuracies, and why. */
export const unpublishedRows: readonly { rows: readonly string[]; reason: string }[] = [
  {
    rows: [
      'resnet50anti',
      'resnet50augmix',
      'resnet50cutmix',
      'resnet50cutmixbaseline',
      'resnet50deepaug',
      'resnet50deepaugmix',
      'resnet50texture',
    ],
    reason: "weights of the interventions' own authors; timm's ResNet-50 weights are others",
  },
  {
    rows: ['seer320', 'seer640', 'seer1280'],
    reason: "weights of the authors; timm's results have other SEER weights",
  },
  { rows: ['DINOv2'], reason: 'the linear head is published by the authors alone' },
  { rows: ['flava'], reason: "not in OpenCLIP's results" },
]

/**
 * Returns all published accuracies, 0 … 1: 69 models with a 1,000-class head and 17 zero-shot ones.
 *
 * @example
 * const sketch = publishedAccuracies().filter(row => row.benchmark === 'imagenet-sketch')
 */
export function publishedAccuracies(): PublishedRow[] {
  const lines = readFileSync(new URL('./accuracies.csv', import.meta.url), 'utf8')
    .trimEnd()
    .split('\n')
  return lines.slice(1).map(line => {
    const [row, model, kind, benchmark, accuracy, source, size] = line.split(',') as [
      string,
      string,
      PublishedRow['kind'],
      string,
      string,
      PublishedSource['id'],
      string,
    ]
    const imageSize = size === '' ? null : Number(size)
    return { row, model, kind, benchmark, accuracy: Number(accuracy), source, imageSize }
  })
}
