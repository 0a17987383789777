import { type Command } from 'commander'
import { type DatasetSpec } from '../datasets/open.ts'
import { assignments, given, oneOf, wholeNumber } from './options.ts'

export interface ManifestOptions {
  data?: string
  map?: Record<string, string>
  classes?: string
}

export interface DatasetOptions extends ManifestOptions {
  limit?: number
  labels?: string
  choices?: 'all' | 'mapped'
  regions?: string
}

/** The options that say where the images, columns and classes of a data set are. */
export const addManifestOptions = (command: Command): Command =>
  command
    .option('--data <dir>', 'folder that holds the benchmarks (default: data)')
    .option('--map <pairs>', "a manifest's other column names: image=photo,label=sku,country=cc", assignments('--map'))
    .option('--classes <file>', "the manifest's own class list, one name a line, or JSON")

/** The options by which data sets are opened. */
export const addDatasetOptions = (command: Command): Command =>
  addManifestOptions(command)
    .option('--limit <n>', 'at most this many images of each data set, evenly spaced', wholeNumber('--limit'))
    .option('--labels <map>', 'label map: original, imagenet or a file')
    .option('--choices <which>', 'classes that compete: all or mapped', oneOf('--choices', ['all', 'mapped']))
    .option('--regions <scheme>', 'derive regions from countries: a shipped scheme (continents-1) or a file')

export const opening = (options: DatasetOptions): Omit<DatasetSpec, 'name'> => {
  const { data, limit, map, classes, labels, choices, regions } = options
  return given({ data, limit, map, classes, labels, choices, regions })
}
