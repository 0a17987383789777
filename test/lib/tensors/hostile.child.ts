/** Reads each file named on the command line; prints a line of JSON with its outcome, time, and the peak of memory
 * over what was resident before it (the peak of the whole process, so an upper bound). */
import { readWeights } from '../../../src/lib/tensors/readWeights.ts'
import { peakMemory } from '../../helpers/memory.ts'

for (const file of process.argv.slice(2)) {
  const before = process.memoryUsage.rss()
  const started = performance.now()
  const outcome = await readWeights(file).then(
    ({ tensors }) => ({ tensors: tensors.size }),
    (error: unknown) => ({ error: (error as Error).name, message: (error as Error).message }),
  )
  const figures = { ms: performance.now() - started, peakMB: (peakMemory() - before) / 2 ** 20 }
  process.stdout.write(`${JSON.stringify({ file, ...figures, ...outcome })}\n`)
}
