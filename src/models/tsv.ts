import { readFileSync } from 'node:fs'

/** The rows of a tab-separated data file of this package, by the names of its first line. */
export function readTsv<Column extends string>(file: URL): Record<Column, string>[] {
  const [head, ...lines] = readFileSync(file, 'utf8').trimEnd().split('\n')
  const columns = head!.split('\t') as Column[]
  return lines.map(line => {
    const cells = line.split('\t')
    return Object.fromEntries(columns.map((column, i) => [column, cells[i] ?? ''])) as Record<Column, string>
  })
}
