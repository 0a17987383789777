import { stripControlCharacters } from '../../lib/table/text.ts'
import { defineCommand } from './command.ts'
import { queueOption } from './options.ts'
import { printNote } from './terminal.ts'

export const command = defineCommand({
  name: 'work',
  text: 'Evaluate for the runs at a queue until stopped: units of work from any number of machines.',
  options: {
    ...queueOption,
    '--allow <prefix>': {
      text: 'take only runs whose results lie below this folder or address of a store (default: the folder of this process)',
      default: '.',
    },
  },
  examples: ['geogap work --queue redis://10.0.0.5:6379 --allow /shared/results'],
  run: async ({ queue, allow }) => {
    const { runQueueWorker } = await import('../../evaluate/queue/queueWorker.ts')
    const { createUnitEvaluator } = await import('../../evaluate/queue/unitEvaluator.ts')
    const stop = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => {
        process.stderr.write('stopping: a unit at work goes back to the queue\n')
        stop.abort(new Error('stopped'))
      })
    await runQueueWorker({
      queue,
      allow,
      evaluateUnit: createUnitEvaluator(),
      signal: stop.signal,
      onUnit: ({ run, unit, seconds, error }) => {
        const line = `${run} ${unit}  ${seconds.toFixed(1)} s`
        if (error)
          process.stderr.write(`${stripControlCharacters(`${line}  failed: ${error.message}`)}\n`)
        else printNote(line)
      },
      onProblem: text => process.stderr.write(`${stripControlCharacters(text)}\n`),
    })
  },
})
