/*
 * The child process. `session.run` blocks a process for as long as it takes, so it never runs in the parent. One worker
 * holds one group of models for its whole life. The next batch is read, and what libvips has to decode is decoded in its threads,
 * while a batch is inferred; plain JPEG files are cropped between batches, which costs as much as it would in a thread.
 */
import { type Choices } from '../../datasets/dataset.ts'
import { GeogapError, messageOf } from '../../lib/errors.ts'
import { loadModel } from '../../models/runtime/load.ts'
import { type ModelSession } from '../../models/runtime/session.ts'
import { type OutputName } from '../../models/runtime/session.ts'
import { nonDefaultEngine } from '../../lib/onnx/engine.ts'
import type { FromWorker, InferenceGroup, ShardSample, Timings, ToWorker } from './messages.ts'
import type { Predictions } from '../../results/predictions.ts'
import { zeroTimings } from './messages.ts'
import { type CropBatch, createCropPreparer, type CropPreparer } from './cropBatches.ts'
import { emptyPredictions, firstPredictions, scoreRow } from '../../results/score.ts'

interface LoadedGroup {
  group: InferenceGroup
  models: ModelSession[]
  preparer: CropPreparer
}

let loaded: LoadedGroup | undefined

/** Where the parent is gone nobody hears it, and the end of the channel ends this process. */
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

/** The parent is gone. An orderly exit would wait for decoder threads, and one of them may hang. */
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)

async function load(group: InferenceGroup): Promise<void> {
  const preparer = await createCropPreparer(group.steps)
  const models: ModelSession[] = []
  const scored: OutputName[] = group.choices === 'none' ? [] : ['logits']
  const wanted: OutputName[] = group.keep === 'features' ? [...scored, 'features'] : scored
  for (const model of group.models) {
    const spinning = group.threads > 1 && !group.device
    const onBatch = (): void => send({ type: 'progress', images: 0 })
    try {
      const options = { threads: group.threads, spinning, onBatch, ...nonDefaultEngine(group) }
      models.push(await loadModel(model, group.steps, wanted, options))
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
    await infer(batch, items, outcomes, timings)
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

async function infer(
  { crops, positions: kept }: CropBatch,
  items: readonly ShardSample[],
  outcomes: readonly Predictions[],
  timings: Timings,
): Promise<void> {
  const { group, models } = loaded!
  const bytes = crops.length / kept.length
  for (const [m, model] of models.entries()) {
    const started = performance.now()
    for (let first = 0; first < kept.length; first += group.batch) {
      const some = kept.slice(first, first + group.batch)
      const outputs = await model.run(
        crops.subarray(first * bytes, (first + some.length) * bytes),
        some.length,
      )
      const { logits } = outputs
      const values = group.keep && outputs[group.keep]
      if (values) keepRows(outcomes[m]!, values, some, group.choices === 'none')
      if (logits && group.choices !== 'none')
        scoreRows(outcomes[m]!, logits, some, items, group.choices)
    }
    timings.infer[m]! += performance.now() - started
  }
}

function scoreRows(
  outcome: Predictions,
  logits: Float32Array,
  kept: readonly number[],
  items: readonly ShardSample[],
  choices: Choices,
): void {
  const width = logits.length / kept.length
  for (const [row, at] of kept.entries())
    scoreRow(
      outcome,
      at,
      logits.subarray(row * width, (row + 1) * width),
      items[at]!.labels,
      choices,
    )
}

/** Where no score says so, values that are no numbers are told of here. */
function keepRows(
  outcome: Predictions,
  values: Float32Array,
  kept: readonly number[],
  unscored: boolean,
): void {
  const width = values.length / kept.length
  outcome.kept ??= new Float32Array(outcome.rank.length * width)
  for (const [row, at] of kept.entries()) {
    const part = values.subarray(row * width, (row + 1) * width)
    if (unscored && !part.every(Number.isFinite)) outcome.status[at] = 'not-a-number'
    else outcome.kept.set(part, at * width)
  }
}
