import { Command } from 'commander'
import { inputError } from '../errors.ts'
import { type Format } from '../report/tables.ts'
import { format, oneOf } from './options.ts'

interface Options {
  data?: string
  files?: boolean
  format: Format
}

export function command(): Command {
  return new Command('datasets')
    .description('List the benchmarks, show one, or check that what is on this machine is whole.')
    .argument('[action]', 'list, show or check', oneOf('the action', ['list', 'show', 'check'] as const), 'list')
    .argument('[name]', 'a benchmark, manifest, folder or archive, for show and check')
    .option('--data <dir>', 'folder that holds the benchmarks (default: data)')
    .option('--files', 'check that files are there, without decoding every image')
    .option('--format <format>', 'text, markdown, csv, json or latex', format, 'text')
    .addHelpText('after', '\nExample:\n  geogap datasets check geode --data data')
    .action(async (action: 'list' | 'show' | 'check', name: string | undefined, options: Options) => {
      if (action === 'list') return list(options)
      if (name === undefined) throw inputError('bad-usage', `geogap datasets ${action} needs a name`)
      return action === 'show' ? show(name) : check(name, options)
    })
}

async function list({ format }: Options): Promise<void> {
  const { datasetTable } = await import('../report/datasetTable.ts')
  process.stdout.write(datasetTable(format))
}

async function show(name: string): Promise<void> {
  const { datasetSheet } = await import('../report/datasetTable.ts')
  process.stdout.write(datasetSheet(name))
}

async function check(name: string, { data, files, format }: Options): Promise<void> {
  const { openDataset } = await import('../datasets/open.ts')
  const { checkDataset } = await import('../datasets/check.ts')
  const { checkText } = await import('../report/datasetTable.ts')
  const dataset = await openDataset({ name, ...(data === undefined ? {} : { data }) })
  const onProgress = (done: number, total: number): void => {
    if (process.stderr.isTTY && (done % 100 === 0 || done === total))
      process.stderr.write(`\r${done}/${total} images decoded\u001b[K`)
  }
  const result = await checkDataset(dataset, { decode: !files, onProgress })
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K')
  process.stdout.write(format === 'json' ? `${JSON.stringify(result, null, 2)}\n` : checkText(result))
  const wrong = result.missing.length + result.unreadable.length + result.problems.length + result.differences.length
  if (wrong > 0) process.exitCode = 3
}
