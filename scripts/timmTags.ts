/*
 * Writes src/models/timmTags.tsv: the pretrained tags of timm's registry with 1,000 classes or no head whose architecture is
 * built here. The registry is a JSON file of timm's `PretrainedCfg` values, each with name, tag and number of parameters; beside
 * it lies timm's results-imagenet.csv under the name timm-results-imagenet.csv.
 *
 *   npm run models:tags -- FILE
 */
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { groupByKey } from '../src/lib/tally.ts'
import { architectures } from '../src/models/architectures.ts'
import { normalizationName, readPretrainedTags, writeTagTable } from './tagTables.ts'

interface PretrainedTag {
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
  fixed_input_size?: boolean
  params: number
}

const [file] = process.argv.slice(2)
if (file === undefined) {
  process.stderr.write('usage: npm run models:tags -- FILE\n')
  process.exit(2)
}

const [, ...results] = (await readFile(join(dirname(file), 'timm-results-imagenet.csv'), 'utf8'))
  .trim()
  .split('\n')
  .map(line => line.split(','))
const published = groupByKey(results, ([model]) => model)

const rowOf = (tag: PretrainedTag) => {
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
    parameters: tag.params,
    place: place === `timm/${model}` ? '' : place,
    testSize: hasTest ? (testInput ?? tag.input_size)[1] : '',
    testCropPct: hasTest ? (testCropPct ?? tag.crop_pct) : '',
    inputSize: tag.fixed_input_size ? 'fixed' : '',
    classes: tag.num_classes === 0 ? 0 : '',
    imagenet: (published.get(model) ?? []).map(([, size, top1]) => `${size}:${top1}`).join(' '),
  }
}

const pretrained = await readPretrainedTags<PretrainedTag>(file)
const built = pretrained.filter(
  ({ name, num_classes, hf_hub_id, url }) =>
    [0, 1000].includes(num_classes ?? 1000) &&
    (hf_hub_id ?? url) !== undefined &&
    Object.hasOwn(architectures, name),
)
const names = [...new Set(built.map(({ name }) => name))]
const ordered = names.flatMap(name => {
  const tags = built.filter(tag => tag.name === name)
  return [...tags.filter(tag => tag.default), ...tags.filter(tag => !tag.default)]
})
await writeTagTable('timmTags.tsv', ordered.map(rowOf))
process.stdout.write(`${ordered.length} tags of ${names.length} architectures\n`)
