import { type GroupCounts, groupBy } from '../metrics/accuracy.ts'
import { defaultMinN } from '../metrics/disparity.ts'
import { inferDisparity, type InferredDisparity } from '../metrics/disparityInference.ts'
import { failureBias } from '../metrics/failureBias.ts'
import { countByHousehold, hasHouseholds } from '../results/households.ts'
import { type EvaluationId } from '../results/storedEvaluations.ts'
import { type DisparityRow, type Run } from '../results/run.ts'
import { countsOf, evaluationsOf } from '../results/evaluationIndex.ts'

/** A disparity with its permutation test, corrected value and interval, and a test of the images that failed. */
export interface InferenceRow extends DisparityRow, InferredDisparity {
  /** Number of images without a prediction. */
  failed: number
  /** P-value of equal failure rates in all groups; null if no image failed. */
  failureP: number | null
  /** Warns that failure rates differ between groups (p < 0.05), so that failed images may explain the disparity. */
  warning: string | null
}

/** Options of `inferDisparities`. */
export interface InferDisparitiesOptions extends Partial<EvaluationId> {
  /** Column of the groups. Default `region`. */
  by?: string
  /** Groups with fewer images are left out. Default 30. */
  minN?: number
  /** Default 1. */
  seed?: number
  /** Default 1,000. */
  draws?: number
}

/**
 * Returns the rows of `run.disparity` with a permutation test, a bias-corrected value, a 95 % interval (over households if the
 * data set names them) and a test of failures: one row for each model and data set that has the column.
 *
 * @example
 * const run = await openRun('results')
 * console.table(await inferDisparities(run, { by: 'region' }))
 */
export async function inferDisparities(
  run: Run,
  options: InferDisparitiesOptions = {},
): Promise<InferenceRow[]> {
  const { by = 'region', minN = defaultMinN, seed = 1, draws = 1000, ...only } = options
  const rows: InferenceRow[] = []
  for (const row of run.disparity({ ...only, by, minN })) {
    const { groups } = groupBy(countsOf(run, row), [by])
    const [entry] = evaluationsOf(run, row)
    const clusters = entry ? await countByHousehold(entry, by, run.entries) : null
    const inferred = inferDisparity(groups, { minN, seed, draws, clusters })
    const unit = entry && hasHouseholds(entry) ? inferred.unit : 'images'
    rows.push({ ...row, ...inferred, unit, ...failureWarning(groups, { seed, draws }) })
  }
  return rows
}

function failureWarning(
  groups: readonly GroupCounts[],
  options: { seed: number; draws: number },
): Pick<InferenceRow, 'failed' | 'failureP' | 'warning'> {
  const { failed, p } = failureBias(
    groups.map(({ group, n, errors = 0 }) => ({ group, images: n + errors, failed: errors })),
    options,
  )
  const biased = p !== null && p < 0.05
  const warning = biased
    ? `failures differ between groups (${failed} images, p = ${p.toPrecision(2)})`
    : null
  return { failed, failureP: p, warning }
}
