import { defineCommand } from './command.ts'
import { fileEndingIn } from './parsers.ts'

export const command = defineCommand({
  name: 'pull',
  text: 'Take a pack from a file or an address, check it, and say what it holds. No pack goes by a name yet.',
  arguments: { '<source>': 'file, or http(s) address' },
  options: {
    '-o, --output <file>': {
      text: "where it goes (default: the source's last part, here)",
      parse: fileEndingIn('.pack'),
    },
  },
  examples: ['geogap pull https://example.org/testbed.pack'],
  run: async ({ source, output }) => {
    const { pullPack } = await import('../../analysis/pull.ts')
    process.stdout.write(await pullPack(source, output))
  },
})
