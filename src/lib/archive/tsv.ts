import { readFileSync } from 'node:fs'

/** Reads a tab-separated data file of this package: its rows by the column names of the first line. Lines that begin with `#` are comments. */
export function readTsv<Column extends string>(file: URL): Record<Column, string>[] {
  const [head, ...lines] = readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .filter(line => !line.startsWith('#'))
  const columns = head!.split('\t') as Column[]
  return lines.map(line => {
    const cells = line.split('\t')
    const row = {} as Record<Column, string>
    // Rows that get their columns one by one share a shape, which is faster than `Object.fromEntries`.
    for (let i = 0; i < columns.length; i++) row[columns[i]!] = cells[i] ?? ''
    return row
  })
}
