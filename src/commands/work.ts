import { Command } from 'commander'
import { queueOption } from './queueOption.ts'

export function command(): Command {
  return new Command('work')
    .description('Evaluate for the runs at a queue until stopped: units of work from any number of machines.')
    .addOption(queueOption())
    .option('--quiet', 'no line for each unit')
    .addHelpText('after', '\nExample:\n  geogap work --queue redis://10.0.0.5:6379')
    .action(async ({ queue, quiet }: { queue: string; quiet?: boolean }) => {
      const { work } = await import('../cluster/work.ts')
      const { evaluator } = await import('../cluster/unit.ts')
      const stop = new AbortController()
      for (const signal of ['SIGINT', 'SIGTERM'] as const)
        process.once(signal, () => {
          process.stderr.write('stopping: the unit goes back to the queue\n')
          stop.abort(new Error('stopped'))
        })
      await work({
        ...{ queue, doUnit: evaluator(), signal: stop.signal },
        onUnit: ({ run, unit, seconds, error }) => {
          if (error || !quiet)
            process.stderr.write(
              `${run} ${unit}  ${seconds.toFixed(1)} s${error ? `  failed: ${error.message}` : ''}\n`,
            )
        },
      })
    })
}
