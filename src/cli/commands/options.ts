/** Options that several commands have. */
import { type DatasetSpec } from '../../datasets/open.ts'
import { devices } from '../../lib/onnx/engine.ts'
import { preprocessingModes } from '../../lib/pixels/steps.ts'
import { tableFormats } from '../../lib/table/formats.ts'
import { outcomeMetricNames } from '../../results/metricNames.ts'
import { defaultMinN } from '../../metrics/disparity.ts'
import { type InputValues, pick } from './command.ts'
import { printTerms, transferPrinter } from './terminal.ts'
import { assignments, list, oneOf, tags, wholeNumber } from './parsers.ts'

export const preprocessingOption = (use: string) => ({
  '--preprocessing <mode>': {
    text: `${preprocessingModes.join(', ')} ${use}`,
    parse: oneOf(preprocessingModes),
  },
})

export const deviceOption = (use = '') => ({
  '--device <name>': { text: `cpu, cuda or coreml${use} (default: cpu)`, parse: oneOf(devices) },
})

export const formatOption = {
  '--format <format>': {
    text: tableFormats.join(', '),
    parse: oneOf(tableFormats),
    default: 'text',
  },
} as const

/** For commands whose tables go to standard output or to the file of `-o`. */
export const tableFileFormatOption = {
  '--format <format>': {
    text: `${tableFormats.join(', ')} or parquet (default: as -o ends)`,
    parse: oneOf([...tableFormats, 'parquet']),
  },
} as const

/** For commands that also read accuracies that others published. */
export const resultsOrPublished = {
  '<dir>': 'folder of results, or the word published for accuracies that others published',
}

/** Output with sentences: text, Markdown, or JSON. */
export const textFormatOption = {
  '--format <format>': {
    text: 'text, markdown or json',
    parse: oneOf(['text', 'markdown', 'json']),
    default: 'text',
  },
} as const

/** For commands whose answer is a table. */
export const arrangeOptions = {
  '--columns <names>': { text: 'only these columns, in this order', parse: list },
  '--sort <column>': 'sort by a column, -column from high to low',
}

export const dataOption = {
  '--data <dir>': 'folder that holds the benchmarks (default: data)',
}

/** Options for stored results whose data set may have moved. */
export const movedDataOption = {
  '--data <dir>': 'where the folder of benchmarks, or of the images, is now',
}

export const weightsOption = (model = 'one model') => ({
  '--weights <file>': `weights of ${model}: safetensors or a PyTorch checkpoint`,
})

export const promptsOption = {
  '--prompts <which>': 'of zero-shot models: paper, openai, simple, lang:sw, a file or a template',
}

/** `effect` says what happens to groups with fewer images. */
export const minNOption = (effect: string, least = defaultMinN) => ({
  '--min-n <n>': {
    text: `groups with fewer images ${effect}`,
    parse: wholeNumber(),
    default: least,
  },
})

export const modelsOption = (use: string) => ({ '--models <names>': { text: use, parse: list } })

export const excludeOption = {
  '--exclude <slice>': 'leave out the images that a slice.csv lists',
}

export const tagOption = {
  '--tag <key=value>': {
    text: 'name this run for geogap history; repeatable, part of no key',
    parse: tags,
  },
}

/** The address of a queue. The variable GEOGAP_QUEUE keeps a password out of the list of processes. */
export const queueOption = {
  '--queue <url>': {
    text: 'redis://user:password@host:port of Redis or Valkey',
    env: 'GEOGAP_QUEUE',
    required: true,
  },
} as const

export const labelsOption = {
  '--labels <map>': 'label map: original, imagenet, geode-paper, dollarstreet-paper or a file',
}

export const classesOption = {
  '--classes <file>': "the manifest's own class list, one name a line, or JSON",
}

/** Options of scoring and grouping. */
export const scoringOptions = {
  ...labelsOption,
  '--choices <which>': {
    text: 'classes that compete: all or mapped',
    parse: oneOf(['all', 'mapped']),
  },
  '--regions <scheme>': 'derive regions from countries: a shipped scheme (continents-1) or a file',
}

/** Options for the images, columns and classes of a data set. */
export const manifestOptions = {
  ...dataOption,
  '--map <pairs>': {
    text: "a manifest's other column names: image=photo,label=sku,country=cc",
    parse: assignments,
  },
  ...classesOption,
}

/** Options for opening data sets. */
export const datasetOptions = {
  ...manifestOptions,
  '--limit <n>': {
    text: 'at most this many images of each data set, evenly spaced',
    parse: wholeNumber(),
  },
  ...scoringOptions,
}

type DatasetOptions = InputValues<typeof datasetOptions>

/** Returns how data sets are opened; terms and downloads of those of the hub are shown on standard error. */
export const datasetSpecOf = (options: DatasetOptions): Omit<DatasetSpec, 'name'> => ({
  ...pick(options, ['data', 'limit', 'map', 'classes', 'labels', 'choices', 'regions']),
  hub: { onTerms: printTerms, onDownload: transferPrinter() },
})

/** For commands that count images by what their answers are worth; `others` are metrics of groups that only tables have. */
export const metricOption = <Other extends string = never>(
  names: string,
  others: readonly Other[] = [],
) => ({
  '--metric <name>': {
    text: `${names} (default: top1)`,
    parse: oneOf([...outcomeMetricNames, ...others]),
  },
})
