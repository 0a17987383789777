import { readTsv } from '../lib/archive/tsv.ts'

/** A row of the paper's testbed (appendix A) and the model that stands for it. */
export interface TestbedRow {
  /** The paper's name. */
  name: string
  /** The catalogue's name, with its tag. */
  model: string
  /** The paper's architecture group. */
  group: string
  evaluation: '1K' | 'zero-shot'
  /** The training data as the paper lists it. */
  listed: string
  /** The data set of the pretraining, or of the only training. */
  pretraining: string
  /** Why this tag, if it is not today's default or the paper's table differs; else empty. */
  reason: string
}

let cachedRows: readonly TestbedRow[] | undefined

/** Returns the 98 models of the paper in its order. */
export function testbed(): readonly TestbedRow[] {
  return (cachedRows ??= readTsv<
    'name' | 'model' | 'group' | 'evaluation' | 'listed' | 'pretraining' | 'reason'
  >(new URL('./testbed.tsv', import.meta.url)).map(({ evaluation, reason, ...row }) => ({
    ...row,
    evaluation: evaluation === 'zero-shot' ? 'zero-shot' : '1K',
    reason,
  })))
}

/** Returns the catalogue's name of a model of the paper's testbed. */
export const testbedModel = (name: string): string =>
  testbed().find(row => row.name === name)!.model
