import { type Engine } from '../lib/onnx/engine.ts'
import { type PreprocessingMode } from '../lib/pixels/steps.ts'
import { type KeptOutput } from '../results/schema.ts'
import { type InferenceProfile } from './profile.ts'
import { type EvaluationProgress } from './progress.ts'
import { type WorkerPool } from './workers/pool.ts'

/** Everything that changes a prediction, with its defaults filled in. All of it is part of a result's key. */
export interface EvaluationSettings extends Required<Engine> {
  /** `native`: each model as it was trained (default). `paper`: one recipe for all models, as in the paper's tables. */
  preprocessing: PreprocessingMode
  /** Prompts of zero-shot models: `paper` (default), `openai`, `simple`, or a file of templates. */
  prompts: string
}

/** How an evaluation runs and reports. Nothing of it is part of a result's key. */
export interface ExecutionOptions {
  /** Images that a model infers at once; chosen by the model's cost by default. */
  batch?: number | undefined
  /** An output to keep for every image, so that `rescore` needs no model. */
  keep?: KeptOutput | undefined
  /** Whether kept outputs of another kind may be replaced; without it they are an error. */
  replace?: boolean | undefined
  /** Stops each model when the interval of every group is this narrow, in points: `region ±1`, `±0.5`. */
  until?: string | undefined
  /** Ends the evaluation after the running batches; finished results stay stored. */
  signal?: AbortSignal | undefined
  onProgress?: ((progress: EvaluationProgress) => void) | undefined
  /** Receives, for each group of models that shared its crops, where the time was spent. */
  onProfile?: ((profile: InferenceProfile) => void) | undefined
}

/** Execution options inside the evaluation. */
export interface DatasetExecutionOptions extends ExecutionOptions {
  /** Keeps models loaded for the next call. */
  pool?: WorkerPool | undefined
  /** Number of the evaluation, as its record has it. */
  generation?: number | undefined
}

/** Fills in the defaults. Public functions call this once and pass the result on whole. */
export const completeSettings = ({
  preprocessing = 'native',
  prompts = 'paper',
  device = 'cpu',
  precision = 'fp32',
}: Partial<EvaluationSettings>): EvaluationSettings => ({
  preprocessing,
  prompts,
  device,
  precision,
})
