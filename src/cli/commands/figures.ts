import { defineCommand } from './command.ts'
import { formatOption } from './options.ts'

export const command = defineCommand({
  name: 'figures',
  text: 'List the figures that can be drawn.',
  options: formatOption,
  examples: ['geogap figures'],
  run: async ({ format }) => {
    const { figureKinds } = await import('../../report/figures/index.ts')
    const { fieldColumns } = await import('../../lib/table/columns.ts')
    const { formatTable } = await import('../../lib/table/formats.ts')
    const rows = figureKinds.map(({ paper, ...kind }) => ({ ...kind, paper: paper.join(', ') }))
    const columns = fieldColumns<'name' | 'title' | 'paper' | 'needs'>({
      name: 'name',
      title: 'what it shows',
      paper: 'in the paper',
      needs: 'needs',
    })
    process.stdout.write(formatTable(columns, rows, format))
  },
})
