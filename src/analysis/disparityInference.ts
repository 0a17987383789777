import { type GroupCounts, groupBy } from '../metrics/accuracy.ts'
import { defaultMinN } from '../metrics/disparity.ts'
import { inferDisparity, type InferredDisparity } from '../metrics/disparityInference.ts'
import { failureBias } from '../metrics/failureBias.ts'
import { countByHousehold } from '../results/households.ts'
import { type EvaluationId } from '../results/store.ts'
import { countsOf, type DisparityRow, evaluationsOf, type Run } from '../results/run.ts'

/** A disparity with its permutation null, corrected value and interval, and whether failures could have made it. */
export interface InferenceRow extends DisparityRow, InferredDisparity {
  /** Images without a prediction. */
  failed: number
  /** Chance of failure rates as unequal as these if the group did not matter; null where nothing failed. */
  failureP: number | null
  /** Failures differ between groups by more than chance (p < 0.05): the disparity may come from what was skipped. */
  warning: string | null
}

/** Options of `inferDisparities`: the column, the smallest group, the seed and the number of draws. */
export interface InferDisparitiesOptions extends Partial<EvaluationId> {
  by?: string
  minN?: number
  /** Default 1. */
  seed?: number
  /** Default 1,000. */
  draws?: number
}

/**
 * Returns `run.disparity` with permutation null, bias-corrected value, 95 % interval (by household if the data set has them) and
 * failures: one row per model and data set that has the column.
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
    const clusters = entry && (await countByHousehold(entry, by, run.entries))
    const inferred = inferDisparity(groups, { minN, seed, draws, ...(clusters && { clusters }) })
    rows.push({ ...row, ...inferred, ...failureWarning(groups, { seed, draws }) })
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
