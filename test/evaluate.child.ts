/** Evaluates from a process of its own that tests kill: `node evaluate.child.ts WEIGHTS IMAGES OUT LOG`; LOG gets how many images each batch had. */
import { appendFileSync } from 'node:fs'
import { evaluate } from '../src/evaluate.ts'

const [weights, images, out, log] = process.argv.slice(2)
let before = 0
const { failures } = await evaluate({
  ...{ models: ['lcnet_050'], weights: weights!, datasets: [images!], out: out!, batch: 2 },
  onProgress: ({ done }) => {
    if (done > before) appendFileSync(log!, `${done - before}\n`)
    before = done
  },
})
if (failures.length > 0) process.exitCode = 3
