import { jsonText } from '../../lib/table/text.ts'
import { type CommandDefinition, defineCommand } from './command.ts'
import { queueOption } from './options.ts'

const listCommand = defineCommand({
  name: 'list',
  text: 'Runs with units done, running, queued and failed, time left; workers with their rates.',
  options: { ...queueOption, '--json': 'everything, as JSON' },
  examples: ['geogap queue list --queue redis://10.0.0.5:6379'],
  run: async ({ queue, json }) => {
    const { readClusterState, withQueue } = await import('../../evaluate/queue/redis.ts')
    const { clusterText } = await import('../print/queue.ts')
    const state = await withQueue(queue, readClusterState)
    process.stdout.write(json ? jsonText(state) : clusterText(state))
  },
})

const steerCommand = (name: 'pause' | 'resume' | 'cancel', text: string): CommandDefinition =>
  defineCommand({
    name,
    text,
    arguments: { '<run>': 'id of the run, as geogap queue list shows it' },
    options: queueOption,
    examples: [`geogap queue ${name} 3f9a --queue redis://10.0.0.5:6379`],
    run: async ({ run, queue }) => {
      const { steerRun, withQueue } = await import('../../evaluate/queue/redis.ts')
      await withQueue(queue, redis => steerRun(redis, run, name))
    },
  })

export const command: CommandDefinition = {
  name: 'queue',
  text: 'The runs and workers at a queue: list, pause, resume, cancel.',
  examples: ['geogap queue list --queue redis://10.0.0.5:6379'],
  commands: [
    listCommand,
    steerCommand('pause', 'Start no further unit of a run; units at work are finished.'),
    steerCommand('resume', 'Go on with a paused run.'),
    steerCommand('cancel', 'Stop a run; what is stored stays.'),
  ],
}
