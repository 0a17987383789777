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
import { type PretrainedTag, readPretrainedTags, tagRow, writeTagTable } from './tagTables.ts'

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
await writeTagTable(
  'timmTags.tsv',
  ordered.map(tag => tagRow(tag, published)),
)
process.stdout.write(`${ordered.length} tags of ${names.length} architectures\n`)
