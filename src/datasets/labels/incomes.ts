import { readJson } from '../../lib/archive/json.ts'
import { unknownNameError } from '../../lib/errors.ts'

/** Income groups: `names[i]` holds incomes up to and including `bounds[i]`, the last name those above all bounds. */
export interface IncomeScheme {
  source: string
  unit: string
  direction: string
  bounds: readonly number[]
  names: readonly string[]
}

const incomeSchemes = readJson(new URL('./incomes.json', import.meta.url)) as Readonly<
  Record<string, IncomeScheme>
>

export function incomeScheme(name: string): IncomeScheme {
  const scheme = incomeSchemes[name]
  if (!scheme) throw unknownNameError('income scheme', name, Object.keys(incomeSchemes))
  return scheme
}

/** Named groups of incomes: as a data set has them, or the quarters made of its numbers. */
export const incomeColumns = ['income_group', 'income']

/** The group of an income; null where the income is not known. */
export function incomeGroup({ bounds, names }: IncomeScheme, income: number | null): string | null {
  if (income === null || !Number.isFinite(income)) return null
  const above = bounds.findIndex(bound => income <= bound)
  return names[above === -1 ? bounds.length : above]!
}
