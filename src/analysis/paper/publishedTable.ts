import { publishedSources } from './publishedAccuracies.ts'
import { publishedProgress, type PublishedProgress } from './publishedProgress.ts'
import { type Exported, exported } from '../../lib/table/table.ts'
import { type Comparison, comparisonColumns, printedIn } from './comparison.ts'
import { gapComparisons, lineRows } from './progressTable.ts'

/** Progress rates and gaps by published accuracies alone, marked as such; nothing measured here is in it. */
export function publishedTable(options: { seed: number; draws?: number }): Exported {
  const found = publishedProgress(options)
  const rows = found.flatMap(kind => [...rateRows(kind), ...gapRows(kind)])
  const sources = Object.values(publishedSources).map(
    ({ publisher, date, page, license, note }) => `${publisher}, ${date} (${page}, ${license}): ${note}`,
  )
  const notes = [
    'published accuracies, measured by others; none is a measurement of this program',
    'intervals over draws of models',
    ...sources,
    ...found.flatMap(({ kind, reason }) => (reason === null ? [] : [`${kind}: ${reason}`])),
  ]
  const title = 'Progress by published accuracies, beside table 2 of the paper'
  return exported({ name: 'published', title, notes }, comparisonColumns('benchmark', 'published'), rows)
}

const subset = (name: string): string | null =>
  name.endsWith('-datacomp') ? "DataComp's subset; its metric may be the worst group's accuracy" : null

function rateRows({ kind, source, rates }: PublishedProgress): Comparison[] {
  const printed = kind === '1K' ? printedIn('2') : () => undefined
  return rates.flatMap(({ name, line, overModels }) => {
    const about = { from: `published by ${source.id}`, note: () => line.reason ?? subset(name) }
    return lineRows({ table: 'published', set: kind, row: name }, line, overModels, about, printed)
  })
}

/** Other models and subsets than the paper's, so its ratios do not stand beside them. */
function gapRows({ kind, source, gaps }: PublishedProgress): Comparison[] {
  return gaps.flatMap(({ standard, geographic, gap, overModels }) => {
    const about = { from: `published by ${source.id}`, note: () => gap.reason ?? subset(geographic) }
    const place = { table: 'published', set: kind, row: standard }
    return gapComparisons(place, gap, overModels, about, ` against ${geographic}`)
  })
}

/** The progress rates alone, in a few lines: what the demo shows of the real world. */
export function publishedSummary(options: { seed: number; draws?: number }): string {
  const lines = publishedProgress(options).flatMap(({ kind, models, source, rates, gaps }) => [
    `${models} ${kind} models, as ${source.publisher} published them on ${source.date}:`,
    ...rates.map(({ name, line, overModels }) => {
      const interval = overModels.rate?.map(end => end.toFixed(2)).join(' … ')
      const gap = gaps.find(({ standard, geographic }) => standard === name && geographic.startsWith('dollarstreet'))
      const ratio = gap?.gap.ratio == null ? '' : `  ${gap.gap.ratio.toFixed(1)} times Dollar Street's`
      return `  ${name.padEnd(22)}${line.slope?.toFixed(2) ?? '–'}  (${interval ?? '–'})${ratio}`
    }),
  ])
  return `${lines.join('\n')}\n`
}
