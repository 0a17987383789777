import { join } from 'node:path'
import { type Sample } from '../../src/datasets/dataset.ts'
import { type ResultKey, schemaVersion } from '../../src/results/schema.ts'
import { folderStorage } from '../../src/lib/storage/folder.ts'
import { commitShard } from '../../src/results/writeShard.ts'

/** One image's outcome: right, wrong, or null where it could not be read. */
export interface Outcome {
  id: string
  label: string
  correct: boolean | null
  groups: Record<string, string | number | null>
  /** The accepted classes; class 0 by default. */
  labels?: number[]
}

const identityOf = (more: Partial<ResultKey> = {}): ResultKey => ({
  schema: schemaVersion,
  version: '0.1.0',
  runtime: 'onnxruntime-node 1.30.0',
  model: 'first',
  weights: ['aa'.repeat(32)],
  preprocessing: 'native',
  steps: 'resize(256) crop(224)',
  dataset: 'world',
  content: 'cc'.repeat(32),
  images: 0,
  labelMap: 'own 1',
  choices: 'all',
  prompts: '',
  ...more,
})

/** Stores outcomes as an evaluation would have; class 0 is right for every image, class 1 wrong. */
export async function store(
  dir: string,
  outcomes: readonly Outcome[],
  more: Partial<ResultKey> = {},
): Promise<void> {
  const identity = identityOf({ images: outcomes.length, ...more })
  const items = outcomes.map(({ id, label, groups, labels = [0] }): Sample => ({
    id,
    label,
    groups,
    labels,
    image: { kind: 'file', file: join(dir, id) },
  }))
  const first = (flag: boolean | null): number => (flag === null ? -1 : flag ? 0 : 1)
  await commitShard(folderStorage(dir), {
    identity,
    start: 0,
    end: items.length,
    dataset: { samples: items, columns: Object.keys(outcomes[0]!.groups) },
    seconds: 0.5,
    predictions: {
      model: identity.model,
      status: outcomes.map(({ correct }) => (correct === null ? 'corrupt' : 'ok')),
      top5: Int32Array.from(outcomes.flatMap(({ correct }) => [first(correct), -1, -1, -1, -1])),
      probabilities: Float32Array.from(outcomes.flatMap(() => [0.5, 0, 0, 0, 0])),
      rank: Int32Array.from(
        outcomes.map(({ correct }) => (correct === null ? 0 : correct ? 1 : 2)),
      ),
      targetProbability: new Float32Array(outcomes.length).fill(NaN),
    },
  })
}
