import { type Benchmark } from '../../datasets/benchmarks/benchmark.ts'
import { benchmarks, requireBenchmark } from '../../datasets/benchmarks/index.ts'
import { type DatasetCheck } from '../../datasets/checkDataset.ts'
import { type TableColumn, fieldColumns } from '../../lib/table/columns.ts'
import { type TableFormat, formatTable } from '../../lib/table/formats.ts'
import { bytesText, stripControlCharacters } from '../../lib/table/text.ts'

const datasetColumns: TableColumn<Benchmark>[] = [
  ...fieldColumns({ name: 'name', title: 'title', kind: 'kind' }),
  { name: 'images', heading: 'images', value: row => row.expectedCounts(row.variants[0]!).images },
  {
    name: 'classes',
    heading: 'classes',
    value: row => row.expectedCounts(row.variants[0]!).classes,
  },
  {
    name: 'regions',
    heading: 'regions',
    value: row => row.expectedCounts(row.variants[0]!).regions ?? null,
  },
  {
    name: 'fetch',
    heading: 'geogap fetch',
    value: row => (row.downloads.length > 0 ? 'yes' : (row.hub?.name ?? 'by hand')),
  },
]

/** Returns a table of all benchmarks. */
export const datasetTable = (format: TableFormat): string =>
  formatTable(datasetColumns, benchmarks, format)

/** Returns the facts of a benchmark as plain data. */
export function datasetFacts(name: string) {
  const { benchmark, variant } = requireBenchmark(name)
  const {
    title,
    kind,
    source,
    terms,
    variants,
    howToGet: get,
    candidatePaths: places,
    downloads,
    expectedCounts: expected,
  } = benchmark
  return {
    name,
    title,
    kind,
    ...expected(variant),
    variants,
    source,
    terms,
    get,
    places: places(variant),
    downloads,
  }
}

/** Returns all facts of a benchmark as text. */
export function datasetSheet(name: string): string {
  const { title, kind, source, terms, variants, get, places, downloads, ...expected } =
    datasetFacts(name)
  const { images, classes, regions } = expected
  const rows = [
    ['kind', kind],
    ['images', images === null ? 'not stated' : String(images)],
    ['classes', String(classes)],
    ...(regions === undefined ? [] : [['regions', String(regions)]]),
    [
      'variants',
      variants.length > 12
        ? `${variants.slice(0, 12).join(', ')} … (${variants.length})`
        : variants.join(', '),
    ],
    ['source', source],
    ['terms', terms],
    ['get', get],
    ['looked for', places.join(', ')],
    ...downloads.map(({ url, bytes }) => [
      'download',
      bytes === undefined ? url : `${url} (${bytesText(bytes)})`,
    ]),
  ]
  return `${[title, ...rows.map(([key, value]) => `  ${key!.padEnd(11)}${value!}`)].join('\n')}\n`
}

const maxShownItems = 12

/** Returns the result of a check as text. */
export function datasetCheckText(check: DatasetCheck): string {
  const lines = [`${check.dataset}: ${check.images} images`]
  for (const [column, counts] of Object.entries(check.counts)) {
    const shown = counts.slice(0, maxShownItems).map(({ value, images }) => `${value} ${images}`)
    const more = counts.length > maxShownItems ? `, … (${counts.length} in all)` : ''
    if (counts.length > 0) lines.push(`  by ${column}: ${shown.join(', ')}${more}`)
  }
  const part = (what: string, items: readonly string[]): void => {
    if (items.length === 0) return
    lines.push(
      `  ${items.length} ${what}:`,
      ...items.slice(0, maxShownItems).map(item => `    ${item}`),
    )
    if (items.length > maxShownItems) lines.push(`    … and ${items.length - maxShownItems} more`)
  }
  if (check.unmapped > 0)
    lines.push(`  ${check.unmapped} images of classes that no choice stands for, not scored`)
  part('missing files', check.missing)
  part(
    'unreadable images',
    check.unreadable.map(({ id, code, message }) => `${id}: ${code}, ${message}`),
  )
  part(
    'rows and files left out',
    check.problems.map(({ id, code, message }) => `${id}: ${code}, ${message}`),
  )
  part('differences from what the authors state', check.differences)
  if (lines.length === 1 + Object.values(check.counts).filter(counts => counts.length > 0).length)
    lines.push('  whole')
  lines.push(...check.notes.map(note => `  note: ${note}`))
  return `${lines.map(stripControlCharacters).join('\n')}\n`
}
