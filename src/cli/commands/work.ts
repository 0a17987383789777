import { Command } from 'commander'
import { printable } from '../../lib/table/text.ts'
import { note } from './progress.ts'
import { queueOption } from './queueOption.ts'

export function command(): Command {
  return new Command('work')
    .description('Evaluate for the runs at a queue until stopped: units of work from any number of machines.')
    .addOption(queueOption())
    .addHelpText('after', '\nExample:\n  geogap work --queue redis://10.0.0.5:6379')
    .action(async ({ queue }: { queue: string }) => {
      const { work } = await import('../../evaluate/queue/work.ts')
      const { evaluator } = await import('../../evaluate/queue/unit.ts')
      const stop = new AbortController()
      for (const signal of ['SIGINT', 'SIGTERM'] as const)
        process.once(signal, () => {
          process.stderr.write('stopping: a unit at work goes back to the queue\n')
          stop.abort(new Error('stopped'))
        })
      await work({
        ...{ queue, doUnit: evaluator(), signal: stop.signal },
        onUnit: ({ run, unit, seconds, error }) => {
          const line = `${run} ${unit}  ${seconds.toFixed(1)} s`
          if (error) process.stderr.write(`${printable(`${line}  failed: ${error.message}`)}\n`)
          else note(line)
        },
      })
    })
}
