import { bytesText } from '../../lib/table/text.ts'
import { defineCommand } from './command.ts'
import { excludeOption } from './options.ts'
import { fileEndingIn } from './parsers.ts'

export const command = defineCommand({
  name: 'pack',
  text: 'Write the counts of a run as one small file: no images, no predictions; versions, hashes and terms.',
  arguments: { '<dir>': 'folder of results' },
  options: {
    '-o, --output <file>': { text: 'the pack', required: true, parse: fileEndingIn('.pack') },
    ...excludeOption,
  },
  examples: ['geogap pack results -o testbed.pack'],
  run: async ({ dir, output, exclude }) => {
    const { openRun } = await import('../../results/run.ts')
    const { writePack } = await import('../../analysis/pack.ts')
    const { writeOutput } = await import('../../lib/files.ts')
    const bytes = await writePack(await openRun(dir, exclude))
    await writeOutput(output, bytes)
    process.stdout.write(`${output} (${bytesText(bytes.length)})\n`)
  },
})
