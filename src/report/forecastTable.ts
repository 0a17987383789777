import { type Forecast } from '../dryRun.ts'
import { type Column, formatTable } from './tables.ts'
import { bytesText, durationText } from './text.ts'

const columns: Column<Forecast>[] = [
  { name: 'model', heading: 'model', value: row => row.model },
  { name: 'dataset', heading: 'data set', value: row => row.dataset },
  { name: 'images', heading: 'images', value: row => row.images },
  { name: 'download', heading: 'download', value: row => row.download, show: row => bytesText(row.download) },
  { name: 'seconds', heading: 'time', value: row => row.seconds, show: row => durationText(row.seconds) },
  { name: 'disk', heading: 'disk', value: row => row.disk, show: row => bytesText(row.disk) },
]

/** The plan as a table with its totals; a model's weights are counted once. */
export function forecastTable(rows: readonly Forecast[]): string {
  const downloads = new Map(rows.map(({ model, download }) => [model, download]))
  const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0)
  const total = {
    images: sum(rows.map(({ images }) => images)),
    seconds: sum(rows.map(({ seconds }) => seconds)),
    disk: sum(rows.map(({ disk }) => disk)),
  }
  const line = `${downloads.size} models, ${total.images} predictions: ${bytesText(sum(downloads.values()))} to download, about ${durationText(total.seconds)} on this machine (within a factor of two), ${bytesText(total.disk)} of results`
  return `${formatTable(columns, rows, 'text')}\n${line}\n`
}
