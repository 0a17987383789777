/** A world of random logits: 600 images of 8 classes in 3 regions and 60 households, some with two accepted classes. */
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { copyQueryToParquet, parquetRows } from '../../src/lib/sql.ts'
import { type Sample } from '../../src/datasets/dataset.ts'
import { randomFrom } from '../../src/lib/random.ts'
import { folderStorage } from '../../src/lib/storage/folder.ts'
import { emptyPredictions } from '../../src/results/predictions.ts'
import { scoreRow } from '../../src/results/scoreRow.ts'
import { schemaVersion } from '../../src/results/schema.ts'
import { commitShard } from '../../src/results/writeShard.ts'

export interface LoggedImage {
  id: string
  label: string
  labels: number[]
  logits: Float32Array
  groups: { region: string; household?: string }
}

const metricClasses = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']

export function metricWorld(seed: number, households: boolean): LoggedImage[] {
  const random = randomFrom(seed)
  return Array.from({ length: 600 }, (_, i) => {
    const home = i % 60
    const truth = Math.floor(random() * 8)
    const skill = 1.2 + (home % 3) * 0.4
    const logits = Float32Array.from(
      { length: 8 },
      (_, k) => 2 * random() + (k === truth ? skill * random() * 2 : 0),
    )
    const region = ['Africa', 'Asia', 'Europe'][home % 3]!
    return {
      id: `${i}`.padStart(3, '0'),
      label: metricClasses[truth]!,
      labels: i % 10 === 0 ? [truth, (truth + 1) % 8].sort((a, b) => a - b) : [truth],
      logits,
      groups: households ? { region, household: `home ${home}` } : { region },
    }
  })
}

export async function storeLogged(
  dir: string,
  images: readonly LoggedImage[],
  { model = 'm', keep = false }: { model?: string; keep?: boolean } = {},
): Promise<void> {
  const predictions = emptyPredictions(model, images.length)
  for (const [i, { logits, labels }] of images.entries())
    scoreRow(predictions, i, { logits, labels, choices: 'all' })
  if (keep) predictions.kept = Float32Array.from(images.flatMap(({ logits }) => [...logits]))
  const samples = images.map(({ id, label, labels, groups }): Sample => ({
    id,
    label,
    labels,
    groups: { ...groups },
    image: { kind: 'file', file: id },
  }))
  await commitShard(folderStorage(dir), {
    identity: {
      schema: schemaVersion,
      version: '0.1.0',
      runtime: 'onnxruntime-node 1.30.0',
      model,
      weights: ['aa'.repeat(32)],
      preprocessing: 'native',
      steps: 'resize(256) crop(224)',
      dataset: 'world',
      content: 'dd'.repeat(32),
      images: images.length,
      labelMap: 'own 1',
      choices: 'all',
      prompts: '',
    },
    start: 0,
    end: images.length,
    dataset: { samples, columns: Object.keys(images[0]!.groups) },
    seconds: 1,
    keep: keep ? 'logits' : undefined,
    predictions,
  })
}

/** Takes the column of the accepted classes' probability out of all shards below a folder, as earlier versions stored them. */
export async function removeTargetProbabilities(dir: string): Promise<void> {
  const predictions = join(dir, 'predictions')
  for (const name of await readdir(predictions, { recursive: true })) {
    const manifest = join(predictions, name)
    if (!name.endsWith('.json')) continue
    const content = JSON.parse(await readFile(manifest, 'utf8')) as { file: string; bytes: number }
    const file = join(manifest, '..', content.file)
    await copyQueryToParquet(
      `${file}.old`,
      `SELECT * EXCLUDE target_probability FROM ${parquetRows()}`,
      [file],
    )
    await writeFile(file, await readFile(`${file}.old`))
    content.bytes = (await stat(file)).size
    await writeFile(manifest, JSON.stringify(content))
  }
}
