import { defineCommand } from './command.ts'
import { formatOption } from './options.ts'

export const command = defineCommand({
  name: 'status',
  text: 'Say what is stored of what was asked for: complete, running, incomplete, failed, damaged or stale.',
  arguments: { '<dir>': 'folder of results' },
  options: formatOption,
  examples: ['geogap status results'],
  run: async ({ dir, format }) => {
    const { runStatus } = await import('../../results/status.ts')
    const { statusTable } = await import('../print/status.ts')
    const { writeTables } = await import('../../lib/table/writeTables.ts')
    await writeTables([statusTable(await runStatus(dir))], format, undefined)
  },
})
