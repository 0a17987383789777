import { type Command } from 'commander'
import { type DatasetSpec } from '../../datasets/open.ts'
import {
  choicesOption,
  classesOption,
  withoutUndefined,
  labelsOption,
  regionsOption,
} from './options.ts'
import { assignments, wholeNumber } from './parsers.ts'

export interface ManifestSourceOptions {
  data?: string
  map?: Record<string, string>
  classes?: string
}

export interface DatasetSourceOptions extends ManifestSourceOptions {
  limit?: number
  labels?: string
  choices?: 'all' | 'mapped'
  regions?: string
}

/** The options that say where the images, columns and classes of a data set are. */
export const addManifestOptions = (command: Command): Command =>
  command
    .option('--data <dir>', 'folder that holds the benchmarks (default: data)')
    .option(
      '--map <pairs>',
      "a manifest's other column names: image=photo,label=sku,country=cc",
      assignments('--map'),
    )
    .addOption(classesOption())

/** The options by which data sets are opened. */
export const addDatasetOptions = (command: Command): Command =>
  addManifestOptions(command)
    .option(
      '--limit <n>',
      'at most this many images of each data set, evenly spaced',
      wholeNumber('--limit'),
    )
    .addOption(labelsOption())
    .addOption(choicesOption())
    .addOption(regionsOption())

export const datasetSpecOf = (options: DatasetSourceOptions): Omit<DatasetSpec, 'name'> => {
  const { data, limit, map, classes, labels, choices, regions } = options
  return withoutUndefined({ data, limit, map, classes, labels, choices, regions })
}
