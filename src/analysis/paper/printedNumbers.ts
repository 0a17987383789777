import { readJson } from '../../lib/archive/json.ts'
import { unknownNameError } from '../../lib/errors.ts'

/** One printed number of the paper's tables. */
export interface PaperValue {
  /** `2`, `3`, `4`, `8`, `9`. */
  table: string
  row: string
  column: string
  value: number
  /** The ± that the table prints, if any. */
  error: number | null
  /** `percent` and `points` are on the scale 0 … 100; empty for rates and R². */
  unit: string
}

/** One number of the paper's running text. */
export interface PaperClaim {
  id: string
  section: string
  /** In our words. */
  says: string
  value: number
  unit: string
  /** `equal` unless the text gives a bound, a rounded figure, or the setting of an experiment. */
  relation: 'equal' | 'about' | 'at least' | 'at most' | 'setting'
  note: string | null
}

interface PaperFile {
  source: string
  tables: Record<
    string,
    {
      title: string
      columns: string[]
      units: string[]
      rows: Record<string, (number | [number, number])[]>
    }
  >
  claims: (Omit<PaperClaim, 'relation' | 'note'> & Partial<PaperClaim>)[]
}

const readPaperFile = (): PaperFile =>
  readJson(new URL('./paper.json', import.meta.url)) as PaperFile

/**
 * Returns the title and numbers of one of the paper's tables. Errors: unknown-paper-table.
 *
 * @example
 * console.table(paperTable('2').values)
 */
export function paperTable(table: string): { table: string; title: string; values: PaperValue[] } {
  const { tables } = readPaperFile()
  const found = tables[table]
  if (!found) throw unknownNameError('paper table', table, Object.keys(tables))
  const values = Object.entries(found.rows).flatMap(([row, cells]) =>
    cells.map((cell, i) => {
      const [value, error] = typeof cell === 'number' ? [cell, null] : cell
      return { table, row, column: found.columns[i]!, value, error, unit: found.units[i]! }
    }),
  )
  return { table, title: found.title, values }
}

/**
 * Returns the numbers of the paper's text, in its order.
 *
 * @example
 * console.table(paperClaims())
 */
export const paperClaims = (): PaperClaim[] =>
  readPaperFile().claims.map(claim => ({ relation: 'equal' as const, note: null, ...claim }))
