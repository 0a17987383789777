/** What the scripts share that write the tables of pretrained tags. */
import { readFile, writeFile } from 'node:fs/promises'
import { normalizations } from '../src/models/tagPreprocessing.ts'

/** A tag of timm's registry. */
export interface PretrainedTag {
  name: string
  tag: string
  default?: boolean
  hf_hub_id?: string
  /** Where the weights are if no hub repository has them. */
  url?: string
  num_classes?: number
  input_size: [channels: number, rows: number, columns: number]
  interpolation: string
  crop_pct: number
  crop_mode: string
  mean: number[]
  std: number[]
  license?: string
  test_input_size?: [channels: number, rows: number, columns: number]
  test_crop_pct?: number
  params?: number
}

/** Reads the tags of a registry: a JSON file whose `pretrained` lists them. */
export async function readPretrainedTags<Tag>(file: string): Promise<Tag[]> {
  const { pretrained } = JSON.parse(await readFile(file, 'utf8')) as { pretrained: Tag[] }
  return pretrained
}

/** Returns the name that tag tables have for a mean and a standard deviation. */
export function normalizationName({ mean, std }: { mean: number[]; std: number[] }): string {
  const isClose = (a: readonly number[], b: readonly number[]): boolean =>
    a.every((value, i) => Math.abs(value - b[i]!) < 1e-9)
  const found = Object.entries(normalizations).find(
    ([, known]) => isClose(known.mean, mean) && isClose(known.std, std),
  )
  if (!found) throw new Error(`no name for the mean ${String(mean)} and deviation ${String(std)}`)
  return found[0]
}

/** Writes `src/models/NAME`: a line of column names, then one line for each row of cells by column. */
export async function writeTagTable(
  name: string,
  rows: readonly Readonly<Record<string, string | number>>[],
): Promise<void> {
  const lines = rows.map(row => Object.values(row).join('\t'))
  const head = Object.keys(rows[0]!).join('\t')
  const file = new URL(`../src/models/${name}`, import.meta.url)
  await writeFile(file, `${[head, ...lines].join('\n')}\n`)
}

/** Returns a tag's row of `timmTags.tsv`; `published` has the lines of timm's results by model. */
export function tagRow(
  tag: PretrainedTag,
  published: ReadonlyMap<string | undefined, readonly string[][]>,
): Readonly<Record<string, string | number>> {
  const { test_input_size: testInput, test_crop_pct: testCropPct } = tag
  const model = `${tag.name}.${tag.tag}`
  const place = tag.hf_hub_id ?? tag.url!
  const hasTest = testInput !== undefined || testCropPct !== undefined
  return {
    model,
    normalization: normalizationName(tag),
    interpolation: tag.interpolation,
    cropPct: tag.crop_pct,
    size: tag.input_size[1],
    resize: tag.crop_mode === 'squash' ? 'squash' : 'short side',
    licence: tag.license ?? 'unknown',
    parameters: tag.params ?? '',
    place: place === `timm/${model}` ? '' : place,
    testSize: hasTest ? (testInput ?? tag.input_size)[1] : '',
    testCropPct: hasTest ? (testCropPct ?? tag.crop_pct) : '',
    classes: tag.num_classes === 1000 ? '' : (tag.num_classes ?? ''),
    imagenet: (published.get(model) ?? []).map(([, size, top1]) => `${size}:${top1}`).join(' '),
  }
}
