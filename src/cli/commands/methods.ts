import { defineCommand } from './command.ts'
import { excludeOption } from './options.ts'

export const command = defineCommand({
  name: 'methods',
  text: 'The methods paragraph, the limitations of this run, versions and hashes, and BibTeX, as Markdown.',
  arguments: { '<run>': 'folder of results, or a pack' },
  options: excludeOption,
  examples: ['geogap methods results > methods.md'],
  run: async ({ run, exclude }) => {
    const { openResults } = await import('../../analysis/pack.ts')
    const { describeMethods, methodsText } = await import('../../analysis/citing/methods.ts')
    process.stdout.write(methodsText(describeMethods(await openResults(run, exclude))))
  },
})
