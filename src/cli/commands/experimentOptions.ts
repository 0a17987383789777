import { type Command } from 'commander'
import { type SplitProtocol, splitProtocols } from '../../experiments/splits.ts'
import { type Device } from '../../lib/onnx/engine.ts'
import { devices } from '../../lib/onnx/engine.ts'
import { type PreprocessingMode } from '../../lib/pixels/steps.ts'
import { type TableFormat } from '../../lib/table/columns.ts'
import { addDatasetOptions, type DatasetSourceOptions, datasetSpecOf } from './datasetOptions.ts'
import { formatOption, withoutUndefined, preprocessingOption } from './options.ts'
import { folder, oneOf, percents, positive, parseList, wholeNumber } from './parsers.ts'

export interface ExperimentBaseOptions extends DatasetSourceOptions {
  preprocessing?: PreprocessingMode
  out: string
  format: TableFormat
}

/** The options of every experiment; `kept` says what `--out` holds. */
export const addExperimentOptions = (command: Command, kept: string, example: string): Command =>
  addDatasetOptions(command.addOption(preprocessingOption('(default: native)')))
    .option('--out <dir>', `folder for ${kept} and results`, folder('--out'), 'geogap-results')
    .addOption(formatOption())
    .addHelpText('after', `\n${example.includes('\n') ? 'Examples' : 'Example'}:\n${example}`)

export interface DeviceOptions {
  device?: Device
}

export const addDeviceOption = (command: Command, use: string): Command =>
  command.option(
    '--device <name>',
    `cpu, cuda or coreml, for the ${use} (default: cpu)`,
    oneOf('--device', devices),
  )

export interface TrainingBaseOptions extends ExperimentBaseOptions {
  train: string
  eval?: string[]
  split: SplitProtocol
  seeds: number
  epochs?: number
  rate?: number
  minN: number
}

/** The options of what is trained: `--{name}` takes its percents. */
export const addTrainingOptions = (
  command: Command,
  {
    training,
    settings,
    seeds,
    epochs,
  }: { training: string; settings: [string, string]; seeds: number; epochs: number },
): Command =>
  command
    .requiredOption('--train <name>', `${training}: dollarstreet:train, a manifest, a folder`)
    .option(
      '--eval <names>',
      'evaluated on (default: the test part of the training data)',
      parseList,
    )
    .option(
      '--split <protocol>',
      splitProtocols.join(', '),
      oneOf('--split', splitProtocols),
      'household',
    )
    .option(`--${settings[0]} <percents>`, settings[1], percents(`--${settings[0]}`))
    .option('--seeds <n>', 'runs of each', wholeNumber('--seeds'), seeds)
    .option('--epochs <n>', `passes over the data (default: ${epochs})`, wholeNumber('--epochs'))
    .option('--rate <rate>', "Adam's learning rate (default: 1e-5)", positive('--rate'))
    .option('--min-n <n>', 'smallest region in a disparity', wholeNumber('--min-n'), 30)

/** What the library is told of them. */
export const trainingOptionsOf = (options: TrainingBaseOptions) => {
  const { train, split, seeds, minN, out, epochs, rate, preprocessing } = options
  return {
    ...{ train, evals: options.eval ?? [], split, open: datasetSpecOf(options), seeds, minN, out },
    ...withoutUndefined({ epochs, rate, preprocessing }),
  }
}
