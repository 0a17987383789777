/** A folder of stored results, written shard by shard as an evaluation does, without pictures or models. */
import { type Dataset, type Sample } from '../../../src/datasets/dataset.ts'
import { recordDataset } from '../../../src/results/records.ts'
import { type ResultKey } from '../../../src/results/schema.ts'
import { folderStorage } from '../../../src/lib/storage/folder.ts'
import { recordStudy } from '../../../src/results/studies.ts'
import { commitShard } from '../../../src/results/writeShard.ts'
import { ownDataset } from '../../datasets/ownDataset.ts'

const regions = ['Europe', 'Africa']
export const skills = { small: 0.5, medium: 0.65, large: 0.8 }

/** Three models on a standard and a geographic data set, one image of which is unreadable for all, and a study. */
export async function storeResults(dir: string): Promise<void> {
  await recordStudy(
    dir,
    { study: 'western-share' },
    [0.5, 0.75, 1].map(setting => ({
      setting,
      metric: 'europe minus africa',
      values: [setting / 10, setting / 9, null],
    })),
  )
  for (const name of ['imagenet-1k', 'geode']) {
    const dataset = datasetOf(name, name === 'geode' ? 160 : 100)
    await recordDataset(dir, dataset)
    for (const [model, skill] of Object.entries(skills))
      await storeModel(dir, dataset, model, skill)
  }
}

function datasetOf(name: string, count: number): Dataset {
  const columns = name === 'geode' ? ['region'] : []
  const items = Array.from({ length: count }, (_, i): Sample => ({
    id: `picture ${i}`,
    image: { kind: 'file', file: `${i}.jpg` },
    labels: [i % 3],
    label: ['stove', 'chair', 'house'][i % 3]!,
    groups: columns.length > 0 ? { region: regions[i % 2]! } : {},
  }))
  return ownDataset(items, columns, {
    name,
    classes: ['stove', 'chair', 'house'],
    hash: `hash of ${name}`,
    labelMap: { name: 'identity', hash: 'hash' },
  })
}

async function storeModel(
  dir: string,
  { name, samples: items, hash, columns }: Dataset,
  model: string,
  skill: number,
): Promise<void> {
  const identity: ResultKey = {
    schema: 1,
    version: '0.1.0',
    runtime: 'onnxruntime',
    model,
    weights: ['hash'],
    preprocessing: 'native',
    steps: 'none',
    dataset: name,
    content: hash,
    images: items.length,
    labelMap: 'identity',
    choices: 'all',
    prompts: '',
  }
  const share = (item: Sample): number => skill - (item.groups['region'] === 'Africa' ? 0.25 : 0)
  const status = items.map(({ id }) =>
    columns.length > 0 && id === 'picture 3' ? 'unreadable-image' : 'ok',
  )
  const outcomes = {
    model,
    status,
    top5: new Int32Array(items.length * 5).fill(-1),
    probabilities: new Float32Array(items.length * 5),
    rank: Int32Array.from(items, (item, i) =>
      status[i] !== 'ok' ? 0 : ((i * 7919) % 100) / 100 < share(item) ? 1 : 3,
    ),
    targetProbability: new Float32Array(items.length).fill(NaN),
  }
  const shard = { identity, start: 0, end: items.length, predictions: outcomes, seconds: 1 }
  await commitShard(folderStorage(dir), { ...shard, dataset: { samples: items, columns } })
}
