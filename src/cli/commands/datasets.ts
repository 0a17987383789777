import { inputError } from '../../lib/errors.ts'
import { jsonText } from '../../lib/table/text.ts'
import { defineCommand } from './command.ts'
import { datasetOptions, datasetSpecOf, formatOption } from './options.ts'
import { oneOf } from './parsers.ts'
import { progressPrinter } from './terminal.ts'

const actions = oneOf(['list', 'show', 'check'])

export const command = defineCommand({
  name: 'datasets',
  text: 'List the benchmarks, show one, or check that what is on this machine is whole.',
  arguments: {
    '[action]': {
      text: 'list, show or check',
      parse: actions,
      default: 'list',
    },
    '[name]': 'a benchmark, manifest, folder or archive, for show and check',
  },
  options: {
    ...datasetOptions,
    '--files': 'check that files are there, without decoding every image',
    ...formatOption,
  },
  examples: ['geogap datasets check geode --data data'],
  run: async ({ action, name, format, files, ...options }) => {
    const { datasetCheckText, datasetFacts, datasetSheet, datasetTable } =
      await import('../../report/tables/datasetTable.ts')
    if (action === 'list') {
      process.stdout.write(datasetTable(format))
      return
    }
    if (name === undefined) throw inputError('bad-usage', `geogap datasets ${action} needs a name`)
    if (format !== 'text' && format !== 'json')
      throw inputError('bad-option', `geogap datasets ${action} writes text or json, not ${format}`)
    if (action === 'show') {
      process.stdout.write(format === 'json' ? jsonText(datasetFacts(name)) : datasetSheet(name))
      return
    }
    const { listDataset } = await import('../../datasets/open.ts')
    const { checkDataset } = await import('../../datasets/checkDataset.ts')
    const dataset = await listDataset({ name, ...datasetSpecOf(options) })
    const show = progressPrinter()
    const result = await checkDataset(dataset, {
      decode: !files,
      onProgress: (done, total) => show({ models: ['check'], dataset: dataset.name, total, done }),
    })
    process.stdout.write(format === 'json' ? jsonText(result) : datasetCheckText(result))
    const { missing, unreadable, problems, differences } = result
    if ([missing, unreadable, problems, differences].some(list => list.length > 0))
      process.exitCode = 3
  },
})
