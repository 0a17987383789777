import { type OutputFormat } from '../../lib/table/writeTables.ts'
import { type PreprocessingMode } from '../../lib/pixels/steps.ts'
import { type ProgressEvidence } from '../../analysis/progress/evidence.ts'
import { type ProgressComparison } from '../../analysis/progress/progress.ts'
import { accuracyAxes } from '../../metrics/progress.ts'
import { defineCommand, pick } from './command.ts'
import {
  arrangeOptions,
  excludeOption,
  modelsOption,
  preprocessingOption,
  resultsOrPublished,
  tableFileFormatOption,
} from './options.ts'
import { list, oneOf } from './parsers.ts'

const figureEnding = /\.(svg|png|pdf)$/i

const options = {
  '--standard <names>': { text: 'standard benchmarks (default: all)', parse: list },
  '--geographic <names>': {
    text: 'data sets with regions or countries (default: all)',
    parse: list,
  },
  ...modelsOption('models that the lines are fitted to (default: all)'),
  '--axis <scale>': {
    text: `scale of both axes: ${accuracyAxes.join(', ')}`,
    parse: oneOf(accuracyAxes),
    default: 'linear',
  },
  '--cluster <what>': {
    text: 'models that may deviate together, those of one: family, pretraining or none',
    parse: oneOf(['family', 'pretraining', 'none']),
    default: 'family',
  },
  ...preprocessingOption('(default: the commonest)'),
  ...tableFileFormatOption,
  '-o, --output <file>':
    'write the table to a file, or a figure to one ending in .svg, .png or .pdf',
  ...arrangeOptions,
  ...excludeOption,
}

export const command = defineCommand({
  name: 'progress',
  text:
    'How many points each standard benchmark and each geographic data set gained per point of ImageNet: ' +
    'rates, the gap between them and their ratio, over measured and imported accuracies.',
  arguments: resultsOrPublished,
  options,
  examples: [
    'geogap progress results',
    'geogap progress published --axis logit -o progress.csv',
    'geogap progress results --geographic geode -o progress.svg',
  ],
  run: async ({ dir, output, format, ...options }) => {
    const { compareProgress } = await import('../../analysis/progress/progress.ts')
    const { progressTable } = await import('../../analysis/progress/table.ts')
    const { chooseFormat, writeTables } = await import('../../lib/table/writeTables.ts')
    const isFigure = output !== undefined && figureEnding.test(output)
    const tableFile = isFigure ? undefined : output
    const chosen: OutputFormat = chooseFormat(format, tableFile)
    const evidence = await evidenceOf(dir, pick(options, ['preprocessing', 'exclude']))
    const comparison = compareProgress(evidence, options)
    const table = progressTable(comparison, evidence).arrange(pick(options, ['columns', 'sort']))
    await writeTables([table], chosen, tableFile)
    if (isFigure) await draw({ evidence, comparison }, output)
  },
})

async function evidenceOf(
  dir: string,
  options: { preprocessing?: PreprocessingMode; exclude?: string },
): Promise<ProgressEvidence> {
  const { publishedEvidence, readProgressEvidence } =
    await import('../../analysis/progress/evidence.ts')
  return dir === 'published' ? publishedEvidence() : readProgressEvidence(dir, options)
}

async function draw(
  { evidence, comparison }: { evidence: ProgressEvidence; comparison: ProgressComparison },
  file: string,
): Promise<void> {
  const { inputError } = await import('../../lib/errors.ts')
  const { writeFigures } = await import('../../report/figures/files.ts')
  const { wideWidthPx } = await import('../../report/figures/figure.ts')
  const { progressFigures } = await import('../../report/figures/progress.ts')
  const figures = progressFigures(evidence, comparison)
  if (figures.length === 0)
    throw inputError(
      'no-figure',
      `no figure ${file}: it needs two models with a standard benchmark and a geographic data set`,
    )
  for (const drawn of await writeFigures(figures, file, wideWidthPx))
    process.stdout.write(`${drawn.file}\n${drawn.figure.title}. ${drawn.figure.caption}\n`)
}
