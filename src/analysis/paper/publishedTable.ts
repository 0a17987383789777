import { publishedSources } from './publishedAccuracies.ts'
import { publishedProgress, type PublishedProgress } from './publishedProgress.ts'
import { type Table, createTable } from '../../lib/table/table.ts'
import { type PaperComparison, comparisonColumns, printedValues } from './comparison.ts'
import { progressGapRows, progressRateRows, subsetNote } from './progressTable.ts'

/** Progress rates and gaps by published accuracies alone, marked as such; nothing measured here is in it. */
export function publishedTable(): Table {
  const found = publishedProgress()
  const rows = found.flatMap(kind => [...publishedRateRows(kind), ...publishedGapRows(kind)])
  const sources = Object.values(publishedSources).map(
    ({ publisher, date, page, license, note }) =>
      `${publisher}, ${date} (${page}, ${license}): ${note}`,
  )
  const notes = [
    'published accuracies, measured by others; none is a measurement of this program',
    'intervals by families of models (of zero-shot models: by training data)',
    ...sources,
    ...found.flatMap(({ kind, reason }) => (reason === null ? [] : [`${kind}: ${reason}`])),
  ]
  const title = 'Progress by published accuracies, beside table 2 of the paper'
  return createTable(
    { name: 'published', title, notes },
    comparisonColumns('benchmark', 'published'),
    rows,
  )
}

function publishedRateRows({ kind, source, rates }: PublishedProgress): PaperComparison[] {
  const printed = kind === '1K' ? printedValues('2') : () => undefined
  return rates.flatMap(({ name, line }) => {
    const context = {
      place: { table: 'published', set: kind, row: name },
      from: `published by ${source.id}`,
      note: () => line.reason ?? subsetNote(name),
    }
    return progressRateRows(context, line, printed)
  })
}

/** Other models and subsets than the paper's, so its ratios do not stand beside them. */
function publishedGapRows({ kind, source, gaps }: PublishedProgress): PaperComparison[] {
  return gaps.flatMap(({ standard, geographic, gap }) => {
    const context = {
      place: { table: 'published', set: kind, row: standard },
      from: `published by ${source.id}`,
      note: () => gap.reason ?? subsetNote(geographic),
    }
    return progressGapRows(context, gap, { against: ` against ${geographic}` })
  })
}

/** The progress rates alone, in a few lines: what the demo shows of the real world. */
export function publishedSummary(): string {
  const lines = publishedProgress().flatMap(({ kind, models, source, rates, gaps }) => [
    `${models} ${kind} models, as ${source.publisher} published them on ${source.date}:`,
    ...rates.map(({ name, line }) => {
      const interval = line.interval?.map(end => end.toFixed(2)).join(' … ')
      const gap = gaps.find(
        ({ standard, geographic }) => standard === name && geographic.startsWith('dollarstreet'),
      )
      const ratio =
        gap?.gap.ratio == null ? '' : `  ${gap.gap.ratio.toFixed(1)} times Dollar Street's`
      return `  ${name.padEnd(22)}${line.slope?.toFixed(2) ?? '–'}  (${interval ?? '–'})${ratio}`
    }),
  ])
  return `${lines.join('\n')}\n`
}
