/** Reads each file named on the command line; prints a line of JSON with its outcome, time, and the peak of memory
 * over what was resident before it (the peak of the whole process, so an upper bound). */
import { readWeights } from '../../src/models/readWeights.ts'

const peak = (): number => process.resourceUsage().maxRSS / 1024

for (const file of process.argv.slice(2)) {
  const before = process.memoryUsage.rss() / 2 ** 20
  const started = performance.now()
  const outcome = await readWeights(file).then(
    ({ tensors }) => ({ tensors: tensors.size }),
    (error: unknown) => ({ error: (error as Error).name, message: (error as Error).message }),
  )
  const figures = { ms: performance.now() - started, peakMB: peak() - before }
  process.stdout.write(`${JSON.stringify({ file, ...figures, ...outcome })}\n`)
}
