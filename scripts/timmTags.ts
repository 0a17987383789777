/*
 * Writes src/models/timmTags.tsv: the pretrained tags of timm's registry with 1,000 classes or no head whose architecture is built
 * here. The registry is a JSON file of timm's `PretrainedCfg` values, each with name, tag and number of parameters.
 *
 *   npm run models:tags -- FILE
 */
import { readFile, writeFile } from 'node:fs/promises'
import { architectures } from '../src/models/architectures.ts'
import { normalizations } from '../src/models/recipes.ts'

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

function normalizationOf({ mean, std }: PretrainedTag): string {
  const close = (a: readonly number[], b: readonly number[]): boolean =>
    a.every((value, i) => Math.abs(value - b[i]!) < 1e-9)
  const found = Object.entries(normalizations).find(
    ([, known]) => close(known.mean, mean) && close(known.std, std),
  )
  if (!found) throw new Error(`no name for the mean ${String(mean)} and deviation ${String(std)}`)
  return found[0]
}

const rowOf = (tag: PretrainedTag): string => {
  const name = `${tag.name}.${tag.tag}`
  const place = tag.hf_hub_id ?? tag.url!
  return [
    name,
    normalizationOf(tag),
    tag.interpolation,
    tag.crop_pct,
    tag.input_size[1],
    tag.crop_mode === 'squash' ? 'squash' : 'short side',
    tag.license ?? 'unknown',
    tag.params,
    place === `timm/${name}` ? '' : place,
    tag.test_input_size || tag.test_crop_pct ? (tag.test_input_size ?? tag.input_size)[1] : '',
    tag.test_input_size || tag.test_crop_pct ? (tag.test_crop_pct ?? tag.crop_pct) : '',
    tag.fixed_input_size ? 'fixed' : '',
    tag.num_classes === 0 ? 0 : '',
  ].join('\t')
}

const { pretrained } = JSON.parse(await readFile(file, 'utf8')) as { pretrained: PretrainedTag[] }
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
const header =
  'model\tnormalization\tinterpolation\tcropPct\tsize\tresize\tlicence\tparameters\tplace\ttestSize\ttestCropPct\tinputSize\tclasses'
await writeFile(
  new URL('../src/models/timmTags.tsv', import.meta.url),
  `${[header, ...ordered.map(rowOf)].join('\n')}\n`,
)
process.stdout.write(`${ordered.length} tags of ${names.length} architectures\n`)
