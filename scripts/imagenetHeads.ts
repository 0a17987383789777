/*
 * Writes what heads of more than ImageNet's 1,000 classes need: `src/models/imagenetHeads.tsv`, the places of the 1,000 in the
 * lists of synsets that timm ships, and `src/models/timmHeadTags.tsv`, the tags with such a head. FOLDER is timm's
 * `timm/data/_info`, TAGS a JSON file as for timmTags.ts.
 *
 *   npx tsx scripts/imagenetHeads.ts FOLDER TAGS
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { imagenetWnids } from '../src/datasets/labels/imagenet.ts'
import { architectures } from '../src/models/architectures.ts'
import { encodePlaces, headLists } from '../src/models/headClasses.ts'
import { type PretrainedTag, readPretrainedTags, tagRow, writeTagTable } from './tagTables.ts'

const [folder, tags] = process.argv.slice(2)
if (folder === undefined || tags === undefined) {
  process.stderr.write('usage: npx tsx scripts/imagenetHeads.ts FOLDER TAGS\n')
  process.exit(2)
}

const readPlaces = async (file: string): Promise<{ classes: number; places: number[] }> => {
  const wnids = (await readFile(join(folder, file), 'utf8')).trim().split(/\s+/)
  const byWnid = new Map(wnids.map((wnid, i) => [wnid, i]))
  return { classes: wnids.length, places: imagenetWnids.map(wnid => byWnid.get(wnid) ?? -1) }
}

const lists = [
  ['imagenet-12k', 'imagenet12k_synsets.txt'],
  ['imagenet-21k-miil', 'imagenet21k_miil_synsets.txt'],
  ['imagenet-21k-goog', 'imagenet21k_goog_synsets.txt'],
  ['imagenet-22k', 'imagenet22k_synsets.txt'],
  ['imagenet-22k-ms', 'imagenet22k_ms_synsets.txt'],
] as const
const rows: Record<string, string | number>[] = []
for (const [name, file] of lists) {
  const { classes, places } = await readPlaces(file)
  rows.push({ name, classes, source: `timm 1.0.29 ${file}`, places: encodePlaces(places) })
}
const withBackground = imagenetWnids.map((_, i) => i + 1)
rows.push({
  name: 'imagenet-1k-background',
  classes: 1001,
  source: 'a background class before the 1,000',
  places: encodePlaces(withBackground),
})
await writeTagTable('imagenetHeads.tsv', rows)
const widths = new Set(headLists().map(({ classes }) => classes))
const built = (await readPretrainedTags<PretrainedTag>(tags)).filter(
  ({ name, num_classes: classes = 1000 }) =>
    widths.has(classes) && Object.hasOwn(architectures, name),
)
await writeTagTable(
  'timmHeadTags.tsv',
  built.map(tag => tagRow(tag, new Map())),
)
process.stdout.write(`${rows.length} lists, ${built.length} tags\n`)
