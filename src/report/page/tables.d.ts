/** What a reader chose of a table. */
export interface TableState {
  sort?: { column: number; isRising: boolean }
  search?: string
  /** Headings of the columns that are not shown. */
  hidden?: Set<string>
}

/** Adds sorting, searching and choosing of columns to a table that `htmlTable` wrote. */
export function enhanceTable(table: HTMLTableElement, state?: TableState): void
