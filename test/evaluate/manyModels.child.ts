/** Evaluates models one after the other and prints the parent's memory in bytes after each of them. */
import { readFileSync } from 'node:fs'
import { evaluate, type EvaluateOptions } from '../../src/evaluate/evaluate.ts'

const options = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as EvaluateOptions
const used: number[] = []
const run = await evaluate({
  ...options,
  onProgress: ({ total, done }) => {
    if (done < total) return
    gc!()
    used.push(process.memoryUsage.rss())
  },
})
process.stdout.write(JSON.stringify({ used, rows: run.accuracy().length, failures: run.failures }))
