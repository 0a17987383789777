import { afterAll } from 'vitest'
import { evaluate, type EvaluateOptions } from '../../src/evaluate/evaluate.ts'
import { createWorkerPool, type WorkerPool } from '../../src/evaluate/workers/pool.ts'
import { type Run } from '../../src/results/run.ts'

/**
 * Returns `evaluate` whose processes wait for the next evaluation of this test file, or those of `pool`: starting them and loading
 * their models would take most of the time.
 */
export function pooledEvaluate(
  pool: WorkerPool = createWorkerPool(),
): (options: EvaluateOptions) => Promise<Run> {
  afterAll(() => pool.end())
  return options => {
    const pooled = { ...options, pool }
    return evaluate(pooled)
  }
}
