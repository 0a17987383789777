import { type GroupCounts, groupBy } from './metrics/accuracy.ts'
import { defaultMinN } from './metrics/disparity.ts'
import { inferDisparity, type InferredDisparity } from './metrics/disparityInference.ts'
import { failureBias } from './metrics/errorsBias.ts'
import { householdCounts } from './predictions/households.ts'
import { type DisparityRow, disparityRows, type Run, type Series, series } from './run.ts'

/** A disparity with its permutation null, corrected value and interval, and whether failures could have made it. */
export interface InferenceRow extends DisparityRow, InferredDisparity {
  /** Images without a prediction. */
  failed: number
  /** Chance of failure rates as unequal as these if the group did not matter; null where nothing failed. */
  failureP: number | null
  /** Failures differ between groups by more than chance (p < 0.05): the disparity may come from what was skipped. */
  warning: string | null
}

export interface InferenceOptions {
  by?: string
  minN?: number
  /** Default 1. */
  seed?: number
  /** Default 1,000. */
  draws?: number
  model?: string
  dataset?: string
  preprocessing?: string
}

/** One row per model and data set that has the column, as `run.disparity` gives them. */
export async function inferenceRows(run: Run, options: InferenceOptions = {}): Promise<InferenceRow[]> {
  const { by = 'region', minN = defaultMinN, seed = 1, draws = 1000 } = options
  const fits = (row: Series): boolean =>
    (['model', 'dataset', 'preprocessing'] as const).every(key => row[key] === (options[key] ?? row[key]))
  const rows: InferenceRow[] = []
  for (const row of disparityRows(run, by, minN, fits)) {
    const found = series(run).find(
      one => one.model === row.model && one.dataset === row.dataset && one.preprocessing === row.preprocessing,
    )!
    const groups = groupBy(found.cells, [by]).groups
    const clusters = await clustersOf(run, row, by)
    const inferred = inferDisparity(groups, { minN, seed, draws, ...(clusters && { clusters }) })
    rows.push({ ...row, ...inferred, ...failures(groups, { seed, draws }) })
  }
  return rows
}

async function clustersOf(run: Run, row: DisparityRow, by: string) {
  const entry = run.entries.find(
    ({ identity }) =>
      identity.model === row.model && identity.dataset === row.dataset && identity.preprocessing === row.preprocessing,
  )
  return entry ? householdCounts(entry, by, run.entries) : null
}

function failures(
  groups: readonly GroupCounts[],
  options: { seed: number; draws: number },
): Pick<InferenceRow, 'failed' | 'failureP' | 'warning'> {
  const { failed, p } = failureBias(
    groups.map(({ group, n, errors = 0 }) => ({ group, images: n + errors, failed: errors })),
    options,
  )
  const biased = p !== null && p < 0.05
  const warning = biased ? `failures differ between groups (${failed} images, p = ${p.toPrecision(2)})` : null
  return { failed, failureP: p, warning }
}
