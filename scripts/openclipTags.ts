/*
 * Writes src/models/openclipTags.tsv: the pretrained tags of OpenCLIP's registry. The registry is a JSON file of its tags
 * with their preprocessing, hub repository, activation and number of parameters. An architecture `NAME-quickgelu` has no
 * rows of its own: its tags are those of NAME whose weights want QuickGELU.
 *
 *   npx tsx scripts/openclipTags.ts FILE
 */
import { readFile, writeFile } from 'node:fs/promises'
import { normalizations } from '../src/models/recipes.ts'

interface PretrainedTag {
  architecture: string
  tag: string
  hub: string
  files: string[]
  mean: number[]
  std: number[]
  interpolation: string
  resize_mode: 'shortest' | 'squash'
  size: number
  quick_gelu: boolean
  params?: number
}

/** Licences by the hub repository's name, as its model card states them. */
const licences: readonly (readonly [RegExp, string])[] = [
  [/MobileCLIP/, 'apple-amlr'],
  [/^apple\//, 'apple-ascl'],
  [/metaclip|^visheratin\//, 'cc-by-nc-4.0'],
  [/SigLIP|PE-Core|CLIPA/, 'apache-2.0'],
]

const [file] = process.argv.slice(2)
if (file === undefined) {
  process.stderr.write('usage: npx tsx scripts/openclipTags.ts FILE\n')
  process.exit(2)
}

function normalizationOf({ mean, std }: PretrainedTag): string {
  const found = Object.entries(normalizations).find(
    ([, known]) => known.mean.join() === mean.join() && known.std.join() === std.join(),
  )
  if (!found) throw new Error(`no name for the mean ${String(mean)} and deviation ${String(std)}`)
  return found[0]
}

const rowOf = (tag: PretrainedTag): string =>
  [
    tag.architecture,
    tag.tag,
    tag.hub,
    tag.files[0]!.replace(/model\.safetensors$/, ''),
    tag.quick_gelu ? 'quickgelu' : 'gelu',
    normalizationOf(tag),
    tag.interpolation,
    tag.resize_mode === 'squash' ? 'squash' : 'short side',
    tag.size,
    licences.find(([pattern]) => pattern.test(tag.hub))?.[1] ?? 'mit',
    tag.params ?? '',
  ].join('\t')

const { pretrained } = JSON.parse(await readFile(file, 'utf8')) as { pretrained: PretrainedTag[] }
const tags = pretrained.filter(({ architecture }) => !architecture.endsWith('-quickgelu'))
const header =
  'tower\ttag\trepository\tfiles\tactivation\tnormalization\tinterpolation\tresize\tsize\tlicence\tparameters'
await writeFile(
  new URL('../src/models/openclipTags.tsv', import.meta.url),
  `${[header, ...tags.map(rowOf)].join('\n')}\n`,
)
process.stdout.write(`${tags.length} tags\n`)
