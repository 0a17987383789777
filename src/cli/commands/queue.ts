import { Command } from 'commander'
import type * as cluster from '../../evaluate/queue/queue.ts'
import { jsonText } from '../../lib/table/text.ts'
import { queueOption } from './queueOption.ts'

/**
 * Builds the command `geogap queue`.
 *
 * @example
 *     geogap queue list --queue redis://10.0.0.5:6379
 */
export function command(): Command {
  const queue = new Command('queue').description(
    'The runs and workers at a queue: list, pause, resume, cancel.',
  )
  queue
    .command('list')
    .description(
      'Runs with units done, running, queued and failed, time left; workers with their rates.',
    )
    .addOption(queueOption())
    .option('--json', 'everything, as JSON')
    .addHelpText('after', '\nExample:\n  geogap queue list --queue redis://10.0.0.5:6379')
    .action(async ({ queue, json }: { queue: string; json?: boolean }) => {
      const { clusterText } = await import('../print/queue.ts')
      await atQueue(queue, async (redis, { readClusterState: clusterState }) => {
        const state = await clusterState(redis)
        process.stdout.write(json ? jsonText(state) : clusterText(state))
      })
    })
  const steer = {
    pause: 'Start no further unit of a run; units at work are finished.',
    resume: 'Go on with a paused run.',
    cancel: 'Stop a run; what is stored stays.',
  }
  for (const [what, description] of Object.entries(steer))
    queue
      .command(what)
      .description(description)
      .argument('<run>', 'id of the run, as geogap queue list shows it')
      .addOption(queueOption())
      .addHelpText('after', `\nExample:\n  geogap queue ${what} 3f9a --queue redis://10.0.0.5:6379`)
      .action((run: string, { queue }: { queue: string }) =>
        atQueue(queue, (redis, { steerRun }) => steerRun(redis, run, what as keyof typeof steer)),
      )
  return queue.addHelpText('after', '\nExample:\n  geogap queue list --queue redis://10.0.0.5:6379')
}

type QueueModule = typeof cluster

async function atQueue(
  url: string,
  work: (
    redis: Awaited<ReturnType<QueueModule['connectQueue']>>,
    cluster: QueueModule,
  ) => Promise<void>,
): Promise<void> {
  const cluster = await import('../../evaluate/queue/queue.ts')
  const redis = await cluster.connectQueue(url)
  try {
    await work(redis, cluster)
  } finally {
    redis.disconnect()
  }
}
