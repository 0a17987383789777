import { type Forecast } from '../../evaluate/forecast.ts'
import { type TableColumn, fieldColumn, fieldColumns } from '../../lib/table/columns.ts'
import { formatTable } from '../../lib/table/formats.ts'
import { wrapToTerminal } from '../../lib/table/fitToTerminal.ts'
import { bytesText, countText, durationText } from '../../lib/table/text.ts'

const orUnknown =
  (show: (value: number) => string) =>
  (value: number | null): string =>
    value === null ? '–' : show(value)

const columns: TableColumn<Forecast>[] = [
  ...fieldColumns({
    model: 'model',
    dataset: 'data set',
    images: 'images to do',
    stored: 'stored',
  }),
  fieldColumn('download', 'download', (bytes: number | null) =>
    bytes === null ? 'by hand' : bytes === 0 ? 'is here' : bytesText(bytes),
  ),
  fieldColumn('seconds', 'time', orUnknown(durationText)),
  {
    name: 'basis',
    heading: 'time from',
    value: row => (row.measured ? 'measurement' : 'estimate'),
  },
  fieldColumn('disk', 'disk', orUnknown(bytesText)),
]

/** The folder of the results, its free bytes, the device, and the rule to stop by. */
export interface ForecastContext {
  out: string
  free: number | null
  device?: string | undefined
  until?: string | undefined
}

/** Returns the plan as a table with totals; the weights of a model are counted once. */
export function forecastTable(
  rows: readonly Forecast[],
  { out, free, device = 'cpu', until }: ForecastContext,
): string {
  const sum = (values: Iterable<number | null>): number =>
    [...values].reduce<number>((total, value) => total + (value ?? 0), 0)
  const downloads = new Map(rows.map(({ model, download }) => [model, download]))
  const datasets = new Map(rows.map(row => [row.dataset, row]))
  const toDownload = [...datasets.values()].filter(row => row.datasetDownload > 0)
  const images = sum(rows.map(row => row.images))
  const stored = sum(rows.map(row => row.stored))
  const seconds = sum(rows.map(row => row.seconds))
  const measured = rows.every(row => row.measured)
  const byHand = [...downloads].flatMap(([model, bytes]) => (bytes === null ? [model] : []))
  const doubtful = new Map(rows.map(({ model, note }) => [model, note]))
  const notes = [
    ...[...doubtful].flatMap(([model, note]) =>
      note === null ? [] : [`warning: ${model}: ${note}`],
    ),
    `${countText(downloads.size, 'model')}, ${countText(images, 'prediction')} to make: ${bytesText(sum([...downloads.values(), ...toDownload.map(row => row.datasetDownload)]))} to download, about ${durationText(seconds)} on this machine (${measured ? 'as measured here' : 'estimates are within a factor of two'}), ${bytesText(sum(rows.map(row => row.disk)))} of results${free === null ? '' : ` (${bytesText(free)} free for ${out})`}`,
    ...toDownload.map(
      ({ dataset, datasetDownload, images }) =>
        `first: ${bytesText(datasetDownload)} of ${dataset} from the hub${images === null ? '; how many images that is shows when it is here, and nothing of it is counted above' : ''}`,
    ),
    ...(stored > 0
      ? [
          `stored: rows of these models, images, labels and settings; whether the weights are the same shows when it runs`,
        ]
      : []),
    ...(byHand.length > 0
      ? [
          `by hand: no program can download the weights of ${byHand.join(', ')}; evaluate says where a person finds them`,
        ]
      : []),
    ...(device === 'cpu' || measured
      ? []
      : [`estimated times are the CPU's: nothing is known here about ${device}`]),
    ...(until === undefined ? [] : [`at most: it stops earlier where ${until} is reached`]),
  ]
  return `${formatTable(columns, rows, 'text')}\n${wrapToTerminal(notes.join('\n'))}\n`
}
