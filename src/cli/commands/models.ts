import { inputError } from '../../lib/errors.ts'
import { defineCommand } from './command.ts'
import { describeCommand } from './describe.ts'
import { arrangeOptions, formatOption } from './options.ts'
import { probeCommand } from './probe.ts'

export const command = defineCommand({
  name: 'models',
  text: "The models that can be named: the paper's testbed, or those that fit a pattern; one name shows it in full.",
  arguments: { '[pattern]': "a name, a part of one, or a pattern with *: 'resnet*'" },
  options: {
    '--where <conditions...>':
      "field=value, field<number or field>number: 'group=ResNet' 'parameters<5e6'",
    '--all': 'every tag of timm and OpenCLIP that can be run, not the testbed alone',
    ...formatOption,
    ...arrangeOptions,
  },
  examples: ["geogap models --where evaluation=zero-shot 'images>1e9'"],
  commands: [describeCommand, probeCommand],
  run: async ({ pattern, where = [], all, format, ...options }) => {
    const { matchingRows, findModelRow, parseFilter, testbedRows } =
      await import('../../models/listing.ts')
    const { modelSheet, modelTable } = await import('../../report/tables/modelTable.ts')
    const filters = where.map(parseFilter)
    const exact = pattern === undefined ? undefined : findModelRow(pattern)
    if (exact && format === 'text') {
      process.stdout.write(modelSheet(exact))
      return
    }
    const isTestbed = pattern === undefined && !all
    const named = exact ? [exact] : isTestbed ? testbedRows() : matchingRows(pattern ?? '*')
    const rows = named.filter(row => filters.every(({ test }) => test(row)))
    if (rows.length === 0) {
      const hint = all || pattern !== undefined ? '' : ' among the testbed; --all asks every model'
      throw inputError('no-model', `no model with ${where.join(' ')}${hint}`)
    }
    process.stdout.write(modelTable(rows, format, options))
    if (format !== 'text' && format !== 'markdown') return
    const { resolveModel } = await import('../../models/catalog.ts')
    for (const { model } of rows) {
      const { note } = resolveModel(model)
      if (note !== undefined) process.stdout.write(`\nwarning: ${model}: ${note}\n`)
    }
  },
})
