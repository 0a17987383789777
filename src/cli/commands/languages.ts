import { defineCommand, pick } from './command.ts'
import { formatOption, modelsOption, movedDataOption, weightsOption } from './options.ts'
import { printNote } from './terminal.ts'

export const command = defineCommand({
  name: 'languages',
  text: "English class names beside those in the language of each image's country, by region, from kept features of zero-shot models.",
  arguments: { '<dir>': 'folder of results with features that evaluate --keep features kept' },
  options: {
    '--names <file>': 'a table of names: label, then a column for each language (default: shipped)',
    ...modelsOption('only these models'),
    '--dataset <name>': 'only this data set, by its name in the results',
    ...movedDataOption,
    ...weightsOption('the model whose text tower embeds the names'),
    ...formatOption,
  },
  examples: ['geogap languages results --models clip:xlm-roberta-base-ViT-B-32/laion5b_s13b_b90k'],
  run: async ({ dir, format, ...options }) => {
    const { compareLanguages } = await import('../../evaluate/languages.ts')
    const { languageTable } = await import('../print/languages.ts')
    const { rows, leftOut } = await compareLanguages(
      dir,
      pick(options, ['names', 'models', 'dataset', 'data', 'weights']),
    )
    process.stdout.write(languageTable(rows, format))
    for (const { model, region, reason } of rows)
      if (reason !== null) printNote(`${model}, ${region}: ${reason}`)
    for (const [reason, count] of leftOut) printNote(`not compared: ${count} images of ${reason}`)
    if (options.names === undefined)
      printNote('the names were made for geogap and are unreviewed: no speaker has checked them')
  },
})
