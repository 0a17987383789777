import { splitProtocols } from '../../experiments/splits.ts'
import { type InputValues, pick } from './command.ts'
import {
  datasetOptions,
  datasetSpecOf,
  formatOption,
  minNOption,
  preprocessingOption,
} from './options.ts'
import { folder, list, oneOf, percents, positive, wholeNumber } from './parsers.ts'

/** Options of every experiment; `kept` describes the content of `--out`. */
export const experimentOptions = (kept: string) => ({
  ...preprocessingOption('(default: native)'),
  ...datasetOptions,
  '--out <dir>': {
    text: `folder for ${kept} and results`,
    parse: folder,
    default: 'geogap-results',
  },
  ...formatOption,
})

/** Options of experiments that train on a data set; `training` describes which data sets fit. */
export const trainingOptions = <const Setting extends string>(
  training: string,
  { setting, text, seeds, epochs }: TrainingDefaults<Setting>,
) => ({
  '--train <name>': {
    text: `${training}: dollarstreet:train, a manifest, a folder`,
    required: true as const,
  },
  '--eval <names>': {
    text: 'evaluated on (default: the test part of the training data)',
    parse: list,
  },
  '--split <protocol>': {
    text: splitProtocols.join(', '),
    parse: oneOf(splitProtocols),
    default: 'household',
  },
  ...({ [`--${setting} <percents>`]: { text, parse: percents } } as Record<
    `--${Setting} <percents>`,
    { text: string; parse: typeof percents }
  >),
  '--seeds <n>': { text: 'runs of each', parse: wholeNumber(), default: seeds },
  '--epochs <n>': { text: `passes over the data (default: ${epochs})`, parse: wholeNumber() },
  '--rate <rate>': { text: "Adam's learning rate (default: 1e-5)", parse: positive },
  ...minNOption('are left out of the disparity'),
})

interface TrainingDefaults<Setting> {
  /** Name and description of the option that takes the percents of the study. */
  setting: Setting
  text: string
  seeds: number
  epochs: number
}

/** Returns the options of the library from those that all trainings share. */
export const trainingSettingsOf = (
  options: InputValues<
    ReturnType<typeof experimentOptions> & ReturnType<typeof trainingOptions<never>>
  >,
) => ({
  ...pick(options, ['train', 'split', 'seeds', 'minN', 'out', 'epochs', 'rate', 'preprocessing']),
  evals: options.eval ?? [],
  open: datasetSpecOf(options),
})
