/*
 * Program of a worker process. `session.run` blocks its process, so it never runs in the parent. A worker holds one group of models
 * for its whole life. While one batch is inferred, the next one is read, and images that need libvips are decoded in its threads. Baseline JPEG files
 * are cropped between batches, at the same cost as in a thread.
 */
import { GeogapError, messageOf } from '../../lib/errors.ts'
import { loadModel } from '../../models/runtime/loadModel.ts'
import { type ModelSession } from '../../models/runtime/session.ts'
import { type OutputName } from '../../models/runtime/session.ts'
import { nonDefaultEngine } from '../../lib/onnx/engine.ts'
import type { FromWorker, InferenceGroup, ShardSample, Timings, ToWorker } from './messages.ts'
import { zeroTimings } from './messages.ts'
import { type CropBatch, createCropPreparer, type CropPreparer } from './cropBatches.ts'
import { emptyPredictions, firstPredictions, type Predictions } from '../../results/predictions.ts'
import { scoreRow } from '../../results/scoreRow.ts'

interface LoadedGroup {
  group: InferenceGroup
  models: ModelSession[]
  preparer: CropPreparer
}

let loaded: LoadedGroup | undefined

/** Sends a message to the parent. If the parent is gone, the message is lost and `disconnect` ends this process. */
const send = (message: FromWorker): void =>
  void process.send?.(message, undefined, undefined, () => undefined)

let stopping = false

process.on('message', (message: ToWorker) => {
  if (message.type === 'stop') {
    stopping = true
    return
  }
  const work = message.type === 'load' ? load(message.group) : evaluate(message.items)
  work.catch((error: unknown) => send(failureMessage(error)))
})

const failureMessage = (error: unknown) => ({
  type: 'failed' as const,
  code: error instanceof GeogapError ? error.code : 'internal',
  message: messageOf(error),
})

// Kills the process when the parent is gone: an orderly exit would wait for decoder threads, one of which may hang.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)

async function load(group: InferenceGroup): Promise<void> {
  const preparer = await createCropPreparer(group.steps)
  const models: ModelSession[] = []
  const scored: OutputName[] = group.choices === 'none' ? [] : ['logits']
  const outputs: OutputName[] = group.keep === 'features' ? [...scored, 'features'] : scored
  for (const model of group.models) {
    const spinning = group.threads > 1 && !group.device
    const onBatch = (): void => send({ type: 'progress', images: 0 })
    try {
      const engine = nonDefaultEngine(group)
      const options = { outputs, threads: group.threads, spinning, onBatch, ...engine }
      models.push(await loadModel(model, group.steps, options))
    } catch (error) {
      send({ ...failureMessage(error), model: model.name })
      return
    }
  }
  loaded = { group, models, preparer }
  send({ type: 'ready' })
}

async function evaluate(items: readonly ShardSample[]): Promise<void> {
  const { group, preparer } = loaded!
  const outcomes = group.models.map(model => emptyPredictions(model.name, items.length))
  const timings = zeroTimings(group.models.length)
  const resizedBefore = preparer.resizingMs()
  const { ahead = group.batch } = group
  const batchAt = (first: number) => preparer.begin(items.slice(first, first + ahead), first)
  let next = batchAt(0)
  let first = 0
  for (; first < items.length && !stopping; first += ahead) {
    const started = performance.now()
    const batch = await preparer.finish(next)
    next = batchAt(first + ahead)
    await next.handedOver
    const prepared = performance.now()
    for (const { at, code } of batch.failed)
      for (const outcome of outcomes) outcome.status[at] = code
    await infer(batch, { items, outcomes, timings })
    preparer.release(batch)
    timings.decode += prepared - started
    send({ type: 'progress', images: Math.min(ahead, items.length - first) })
  }
  const done = Math.min(first, items.length)
  timings.prepare = preparer.resizingMs() - resizedBefore
  timings.decode -= timings.prepare
  send({
    type: 'outcomes',
    outcomes: outcomes.map(outcome => firstPredictions(outcome, done)),
    timings,
  })
}

/** The shard that is being evaluated. */
interface ShardWork {
  items: readonly ShardSample[]
  /** Filled in batch by batch. */
  outcomes: readonly Predictions[]
  timings: Timings
}

async function infer(
  { crops, positions }: CropBatch,
  { items, outcomes, timings }: ShardWork,
): Promise<void> {
  const { group, models } = loaded!
  const bytes = crops.length / positions.length
  for (const [m, model] of models.entries()) {
    const started = performance.now()
    const isUnscaled = group.models[m]!.text?.logitScale === null
    for (let first = 0; first < positions.length; first += group.batch) {
      const some = positions.slice(first, first + group.batch)
      const outputs = await model.run(
        crops.subarray(first * bytes, (first + some.length) * bytes),
        some.length,
      )
      const values = group.keep && outputs[group.keep]
      for (const [row, at] of some.entries()) {
        if (values) keepRow(outcomes[m]!, at, rowOf(values, row, some.length))
        if (outputs.logits && group.choices !== 'none')
          scoreRow(outcomes[m]!, at, {
            logits: rowOf(outputs.logits, row, some.length),
            labels: items[at]!.labels,
            choices: group.choices,
            isUnscaled,
          })
      }
    }
    timings.infer[m]! += performance.now() - started
  }
}

function rowOf(values: Float32Array, row: number, rows: number): Float32Array {
  const width = values.length / rows
  return values.subarray(row * width, (row + 1) * width)
}

/** Keeps the output of one image. If nothing is scored, an output that is not finite makes the image fail here. */
function keepRow(outcome: Predictions, at: number, row: Float32Array): void {
  outcome.kept ??= new Float32Array(outcome.rank.length * row.length)
  if (loaded!.group.choices === 'none' && !row.every(Number.isFinite))
    outcome.status[at] = 'not-a-number'
  else outcome.kept.set(row, at * row.length)
}
