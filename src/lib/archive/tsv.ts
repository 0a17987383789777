import { readFileSync } from 'node:fs'

/** The rows of a tab-separated data file of this package, by the names of its first line; lines of `#` are remarks. */
export function readTsv<Column extends string>(file: URL): Record<Column, string>[] {
  const [head, ...lines] = readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .filter(line => !line.startsWith('#'))
  const columns = head!.split('\t') as Column[]
  return lines.map(line => {
    const cells = line.split('\t')
    return Object.fromEntries(columns.map((column, i) => [column, cells[i] ?? ''])) as Record<
      Column,
      string
    >
  })
}
