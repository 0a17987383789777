import { Command } from 'commander'
import { unknownName } from '../errors.ts'
import { type Format, formatTable } from '../report/tables.ts'
import { format } from './options.ts'

export function command(): Command {
  return new Command('models')
    .description('List the models that can be named, with parameters and multiply-adds computed from their graphs.')
    .argument('[pattern]', "a part of the name, or a pattern with *: 'resnet*'")
    .option('--format <format>', 'text, markdown, csv, json or latex', format, 'text')
    .addHelpText('after', "\nExample:\n  geogap models 'mobilenet*'")
    .action(async (pattern: string | undefined, options: { format: Format }) => run(pattern, options.format))
}

async function run(pattern: string | undefined, format: Format): Promise<void> {
  const { modelNames, resolveModel } = await import('../models/catalog.ts')
  const { multiplyAdds, parameterCount } = await import('../graph/cost.ts')
  const { architecture } = await import('../models/architectures.ts')
  const { classifierGraph } = await import('../models/load.ts')
  const { nativeSteps } = await import('../preprocessing/steps.ts')
  const fits = pattern === undefined ? () => true : matcher(pattern)
  const names = modelNames().filter(fits)
  if (pattern !== undefined && names.length === 0) throw unknownName('model', pattern, modelNames())
  const rows = names.map(name => {
    const spec = resolveModel(name)
    const graph = classifierGraph({ architecture: spec.architecture, classes: 1000 }, nativeSteps(spec.recipe))
    return {
      spec,
      family: architecture(spec.architecture).family,
      parameters: parameterCount(graph),
      adds: multiplyAdds(graph),
    }
  })
  const columns = [
    { name: 'model', heading: 'model', value: (row: (typeof rows)[number]) => row.spec.name },
    { name: 'family', heading: 'family', value: (row: (typeof rows)[number]) => row.family },
    {
      name: 'parameters',
      heading: 'parameters (M)',
      value: (row: (typeof rows)[number]) => row.parameters,
      show: (row: (typeof rows)[number]) => (row.parameters / 1e6).toFixed(1),
    },
    {
      name: 'multiply_adds',
      heading: 'GMAC',
      value: (row: (typeof rows)[number]) => row.adds,
      show: (row: (typeof rows)[number]) => (row.adds / 1e9).toFixed(2),
    },
  ]
  process.stdout.write(formatTable(columns, rows, format))
}

/** `*` stands for any characters; without one the pattern may be anywhere in the name. */
export function matcher(pattern: string): (name: string) => boolean {
  const parts = pattern.split('*').map(part => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
  const expression = new RegExp(parts.length > 1 ? `^${parts.join('.*')}$` : parts[0]!, 'i')
  return name => expression.test(name)
}
