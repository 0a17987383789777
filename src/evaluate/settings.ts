import { type Engine } from '../lib/onnx/engine.ts'
import { type PreprocessingMode } from '../lib/pixels/steps.ts'
import { type KeptOutput } from '../results/schema.ts'
import { type InferenceProfile } from './profile.ts'
import { type EvaluationProgress } from './progress.ts'
import { type WorkerPool } from './workers/pool.ts'

/** Settings that change predictions, with defaults filled in. All of them are part of a result's key. */
export interface EvaluationSettings extends Required<Engine> {
  /** `native`: each model as it was trained (default). `paper`: one recipe for all models, as in the paper's tables. */
  preprocessing: PreprocessingMode
  /** Prompts of zero-shot models: `paper` (default), `openai`, `simple`, or a file of templates. */
  prompts: string
}

/** Options that change how an evaluation runs and reports, but no prediction. None of them is part of a result's key. */
export interface ExecutionOptions {
  /** Images per inference call; by default chosen by the model's cost. */
  batch?: number | undefined
  /** The model output to store for every image, which `rescore` reads in place of running the model. */
  keep?: KeptOutput | undefined
  /** Replaces kept outputs of another kind, which are an error (`other-kept`) by default. */
  replace?: boolean | undefined
  /** Stops a model when the interval of every group is at most this wide, in percentage points: `region ±1`, `±0.5`. */
  until?: string | undefined
  /** Aborts the evaluation after the running batches; results up to then are stored. */
  signal?: AbortSignal | undefined
  onProgress?: ((progress: EvaluationProgress) => void) | undefined
  /** Receives the times of each group of models when it is done. */
  onProfile?: ((profile: InferenceProfile) => void) | undefined
}

/** Execution options of internal callers. */
export interface DatasetExecutionOptions extends ExecutionOptions {
  /** Keeps models loaded for the next call. */
  pool?: WorkerPool | undefined
  /** Number of the evaluation in its record. */
  generation?: number | undefined
}

/** Returns the settings with defaults filled in. Public functions call it once and pass the result on. */
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
