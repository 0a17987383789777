import { Command } from 'commander'
import { type TableFormat } from '../../lib/table/columns.ts'
import { describeCommand } from './describe.ts'
import { formatOption } from './options.ts'
import { probeCommand } from './probe.ts'

interface ModelsCommandOptions {
  where?: string[]
  all: boolean
  format: TableFormat
}

/**
 * Builds the command `geogap models`.
 *
 * @example
 *     geogap models --where evaluation=zero-shot 'images>1e9'
 */
export function command(): Command {
  return new Command('models')
    .description(
      "The models that can be named: the paper's testbed, or those that fit a pattern; one name shows it in full.",
    )
    .argument('[pattern]', "a name, a part of one, or a pattern with *: 'resnet*'")
    .option(
      '--where <conditions...>',
      "field=value, field<number or field>number: 'group=ResNet' 'parameters<5e6'",
    )
    .option('--all', 'every tag of timm and OpenCLIP that can be run, not the testbed alone', false)
    .addOption(formatOption())
    .addHelpText('after', "\nExample:\n  geogap models --where evaluation=zero-shot 'images>1e9'")
    .addCommand(describeCommand())
    .addCommand(probeCommand())
    .action(async (pattern: string | undefined, options: ModelsCommandOptions) =>
      run(pattern, options),
    )
}

async function run(
  pattern: string | undefined,
  { where = [], all, format }: ModelsCommandOptions,
): Promise<void> {
  const { matchingRows, findModelRow, parseFilter, testbedRows } =
    await import('../../models/listing.ts')
  const { modelSheet, modelTable } = await import('../../report/page/modelTable.ts')
  const filters = where.map(parseFilter)
  const exact = pattern === undefined ? undefined : findModelRow(pattern)
  if (exact && format === 'text') {
    process.stdout.write(modelSheet(exact))
    return
  }
  const found =
    pattern === undefined
      ? all
        ? matchingRows('*')
        : testbedRows()
      : exact
        ? [exact]
        : matchingRows(pattern)
  const rows = found.filter(row => filters.every(({ test }) => test(row)))
  process.stdout.write(modelTable(rows, format))
}
