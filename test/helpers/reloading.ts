import { type ChildProcess, fork } from 'node:child_process'
import { builtPath } from '../../scripts/built.ts'
import {
  type FromWorker,
  type InferenceGroup,
  type ToWorker,
} from '../../src/evaluate/workers/messages.ts'
import { ModelFailure, type Worker, type WorkerPool } from '../../src/evaluate/workers/pool.ts'

type Answer = Exclude<FromWorker, { type: 'progress' }>

/**
 * Returns a pool of one process that loads each group into the same process: to start one takes longer than to load a small model.
 * It keeps the environment of its first evaluation, and works to the end when it is aborted.
 */
export function reloadingPool(): WorkerPool {
  let child: ChildProcess | undefined
  const end = (): void => {
    child?.kill('SIGKILL')
    child = undefined
  }
  const started = (): ChildProcess =>
    (child ??= fork(builtPath('src/evaluate/workers/worker.ts'), [], { serialization: 'advanced' }))
  return { take: group => [createWorker(group, started, end)], give: () => undefined, end }
}

function createWorker(
  group: InferenceGroup,
  started: () => ChildProcess,
  stop: () => void,
): Worker {
  let loading: Promise<Answer> | undefined
  const run: Worker['run'] = async (items, { onImages }) => {
    failIfFailed(await (loading ??= ask(started(), { type: 'load', group })))
    const sent = items.map(({ image, labels }) => ({ image, labels }))
    const answer = await ask(started(), { type: 'shard', items: sent }, onImages)
    failIfFailed(answer)
    return answer.type === 'outcomes' ? answer : undefined
  }
  return { run, unref: () => undefined, stop }
}

function failIfFailed(answer: Answer): void {
  if (answer.type === 'failed') throw new ModelFailure(answer.code, answer.message, answer.model)
}

function ask(
  child: ChildProcess,
  message: ToWorker,
  onImages?: (count: number) => void,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const finish = (): void => void child.off('message', onMessage).off('exit', onExit)
    const onMessage = (answer: FromWorker): void => {
      if (answer.type === 'progress') {
        onImages?.(answer.images)
        return
      }
      finish()
      resolve(answer)
    }
    const onExit = (): void => {
      finish()
      reject(new Error('the worker ended'))
    }
    child.on('message', onMessage).on('exit', onExit)
    child.send(message)
  })
}
