/**
 * Evaluates from a process of its own that tests kill: `node evaluate.child.ts WEIGHTS IMAGES OUT LOG [AT]`; LOG gets how many
 * images each batch had. With AT it kills itself at its AT-th write, sync or rename.
 */
import { appendFileSync } from 'node:fs'
import { evaluate } from '../../src/evaluate/evaluate.ts'
import { withFault } from '../helpers/faults.ts'

const [weights, images, out, log, at] = process.argv.slice(2)
let before = 0
const work = () =>
  evaluate({
    models: ['lcnet_050:64'],
    weights: weights!,
    datasets: [images!],
    out: out!,
    batch: 2,
    onProgress: ({ done }) => {
      if (done > before) appendFileSync(log!, `${done - before}\n`)
      before = done
    },
  })
const { value, error } = await withFault(Number(at ?? Infinity), { kind: 'kill' }, work)
if (error !== undefined) throw error as Error
if (value!.failures.length > 0) process.exitCode = 3
