/*
 * Writes src/models/openclipTags.tsv: the pretrained tags of OpenCLIP's registry. The registry is a JSON file of its tags
 * with their preprocessing, hub repository, activation and number of parameters. An architecture `NAME-quickgelu` has no
 * rows of its own: its tags are those of NAME whose weights want QuickGELU.
 *
 *   npx tsx scripts/openclipTags.ts FILE
 */
import { normalizationName, readPretrainedTags, writeTagTable } from './tagTables.ts'

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

const [file] = process.argv.slice(2)
if (file === undefined) {
  process.stderr.write('usage: npx tsx scripts/openclipTags.ts FILE\n')
  process.exit(2)
}

const rowOf = (tag: PretrainedTag) => ({
  tower: tag.architecture,
  tag: tag.tag,
  repository: tag.hub,
  files: tag.files[0]!.replace(/model\.safetensors$/, ''),
  activation: tag.quick_gelu ? 'quickgelu' : 'gelu',
  normalization: normalizationName(tag),
  interpolation: tag.interpolation,
  resize: tag.resize_mode === 'squash' ? 'squash' : 'short side',
  size: tag.size,
  parameters: tag.params ?? '',
})

const pretrained = await readPretrainedTags<PretrainedTag>(file)
const tags = pretrained.filter(({ architecture }) => !architecture.endsWith('-quickgelu'))
await writeTagTable('openclipTags.tsv', tags.map(rowOf))
process.stdout.write(`${tags.length} tags\n`)
