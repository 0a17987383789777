import { type Dataset } from '../datasets/dataset.ts'
import { GeogapError } from '../lib/errors.ts'
import { type PreparedModel, prepareModel } from '../models/runtime/prepareModel.ts'
import { type ModelSpec } from '../models/spec.ts'
import { type Failure, failureOf } from '../results/records.ts'
import { type EvaluationPlan } from './evaluationPlan.ts'

/** Receives the downloaded bytes of a model's weights and, where it is known, their total. */
export type OnDownload = (model: string, done: number, total: number | undefined) => void

interface FailedModel {
  spec: ModelSpec
  error: GeogapError
}

/**
 * Downloads and hashes the weights of all models. Models whose weights cannot be downloaded or used are returned with
 * their error. Rejects with `signal`'s reason when it is aborted.
 */
export async function prepareModels(
  specs: readonly ModelSpec[],
  { onDownload, signal }: { onDownload?: OnDownload; signal?: AbortSignal | undefined },
): Promise<{ prepared: PreparedModel[]; failed: FailedModel[] }> {
  const prepared: PreparedModel[] = []
  const failed: FailedModel[] = []
  for (const spec of specs) {
    try {
      const preparing = prepareModel(spec, (done, total) => onDownload?.(spec.name, done, total))
      prepared.push(await rejectOnAbort(signal, preparing))
    } catch (error) {
      const isExpected =
        error instanceof GeogapError &&
        (['network', 'weights'].includes(error.kind) || error.code.startsWith('hub-'))
      if (!isExpected) throw error
      failed.push({ spec, error })
    }
  }
  return { prepared, failed }
}

/** Returns a failure for every data set of models that cannot be used. */
export const unusableFailures = ({
  unusable,
  targets,
}: Pick<EvaluationPlan, 'unusable' | 'targets'>): Failure[] =>
  unusable.flatMap(({ name, error }) =>
    [...new Set(targets.map(({ dataset }) => dataset.name))].map(dataset =>
      failureOf({ name }, { name: dataset }, error),
    ),
  )

/** Returns a failure for every data set that a failed model was to be evaluated on. */
export const preparationFailures = (
  failed: readonly FailedModel[],
  parts: readonly { specs: readonly ModelSpec[]; dataset: Dataset }[],
): Failure[] =>
  failed.flatMap(({ spec, error }) =>
    parts
      .filter(({ specs }) => specs.includes(spec))
      .map(({ dataset }) => failureOf(spec, dataset, error)),
  )

/** Settles as `work` does, or rejects as soon as the signal is aborted. An interrupted download resumes in the next evaluation. */
function rejectOnAbort<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (!signal) return work
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason as Error)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop)
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}
