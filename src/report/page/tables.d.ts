/** What a reader chose of a table. */
export interface TableState {
  sort?: { column: number; isRising: boolean }
  search?: string
  /** The number of rows that are shown until a reader asks for all of them; all by default. */
  most?: number
  /** Headings of the columns that are not shown. */
  hidden?: Set<string>
  /** Called when a reader has sorted, searched or asked for all rows; it puts the rows that are then shown into the table. */
  fill?: () => void
  /** The numbers of rows that have all words of the search, and of all rows, where the table holds only those that are shown. */
  counts?: { found: number; all: number }
}

/** Compares the values of two cells, numbers by size; '' stands for what is unknown, which is last in both orders. */
export function compareCells(a: string | number, b: string | number, order: 1 | -1): number

/** Adds sorting, searching and choosing of columns to a table that `htmlTable` wrote. */
export function enhanceTable(table: HTMLTableElement, state?: TableState): void

/** Sorts and searches the rows of an enhanced table and hides columns, as `state` says. */
export function updateTable(table: HTMLTableElement, state: TableState): void
