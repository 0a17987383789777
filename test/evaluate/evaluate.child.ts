/**
 * Evaluates from a process of its own that tests kill: `node evaluate.child.ts WEIGHTS IMAGES OUT LOG [AT]`; LOG gets how many
 * images each batch had. With AT it infers by a table and kills itself at its AT-th write, sync or rename.
 */
import { appendFileSync } from 'node:fs'
import { evaluate, type EvaluateOptions } from '../../src/evaluate/evaluate.ts'
import { type WorkerPool } from '../../src/evaluate/workers/pool.ts'
import { withFault } from '../helpers/faults.ts'
import { tablePool } from '../helpers/tablePool.ts'

const [weights, images, out, log, at] = process.argv.slice(2)
const write = (count: number): void => appendFileSync(log!, `${count}\n`)
let before = 0
const options: EvaluateOptions & { pool?: WorkerPool } = {
  models: ['lcnet_050:64'],
  weights: weights!,
  datasets: [images!],
  out: out!,
  batch: 2,
  onProgress: ({ done }) => {
    if (done > before) write(done - before)
    before = done
  },
}
if (at !== undefined) options.pool = tablePool(write)
const { value, error } = await withFault(Number(at ?? Infinity), { kind: 'kill' }, () =>
  evaluate(options),
)
if (error !== undefined) throw error as Error
if (value!.failures.length > 0) process.exitCode = 3
