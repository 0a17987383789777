/** What a reader chose of a table. */
export interface TableState {
  sort?: { column: number; isRising: boolean }
  search?: string
  /** The number of rows that are shown until a reader asks for all of them; all by default. */
  most?: number
  /** Headings of the columns that are not shown. */
  hidden?: Set<string>
  /** Called before rows are sorted, searched or all shown; it adds those that are not yet in the table. */
  fill?: (() => void) | undefined
}

/** Adds sorting, searching and choosing of columns to a table that `htmlTable` wrote. */
export function enhanceTable(table: HTMLTableElement, state?: TableState): void

/** Sorts and searches the rows of an enhanced table and hides columns, as `state` says. */
export function updateTable(table: HTMLTableElement, state: TableState): void
