/**
 * Loaded before a worker by bench/parent.ts: answers shards at once with made-up predictions, in messages as a worker sends them, so
 * that the parent alone is measured.
 */
import type { FromWorker, InferenceGroup, ToWorker } from '../src/evaluate/workers/messages.ts'
import { emptyPredictions } from '../src/results/predictions.ts'

const send = (message: FromWorker): void => void process.send?.(message)
let group: InferenceGroup

process.on('message', (message: ToWorker) => {
  if (message.type === 'load') {
    group = message.group
    send({ type: 'ready' })
  }
  if (message.type !== 'shard') return
  const { items } = message
  const { ahead = group.batch, models } = group
  for (let first = 0; first < items.length; first += ahead)
    send({ type: 'progress', images: Math.min(ahead, items.length - first) })
  const outcomes = models.map(({ name }) => {
    const outcome = emptyPredictions(name, items.length)
    outcome.top5.forEach((_, at) => (outcome.top5[at] = (at * 37) % 1000))
    outcome.probabilities.forEach((_, at) => (outcome.probabilities[at] = 1 / (at + 3)))
    outcome.rank.forEach((_, at) => (outcome.rank[at] = 1 + (at % 9)))
    return outcome
  })
  const timings = { decode: 0, prepare: 0, infer: models.map(() => 0) }
  send({ type: 'outcomes', outcomes, timings })
})

// The worker itself then gets no message.
const listen = process.on.bind(process) as (...args: unknown[]) => NodeJS.Process
process.on = ((event: string, ...rest: unknown[]) =>
  event === 'message' ? process : listen(event, ...rest)) as typeof process.on
