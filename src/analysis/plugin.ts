import { pathToFileURL } from 'node:url'
import { inputError, messageOf } from '../lib/errors.ts'
import { type Table, createTable } from '../lib/table/table.ts'
import { type CellValue } from '../lib/table/columns.ts'
import { type Run } from '../results/run.ts'

/** A metric of your own: the default export of the module that `geogap table --plugin` loads. */
export interface MetricPlugin {
  /** Names the table. */
  name: string
  title?: string
  /** Names of the columns; every row has a value, or null, for each. */
  columns: readonly string[]
  rows: (
    run: Run,
  ) =>
    | readonly Readonly<Record<string, CellValue>>[]
    | Promise<readonly Readonly<Record<string, CellValue>>[]>
}

/** The plug-in's table on a run. Errors: bad-plugin, which names the file and what it lacks. */
export async function readPluginTable(file: string, run: Run): Promise<Table> {
  const plugin = await loadPlugin(file)
  const rows: unknown = await plugin.rows(run)
  const { name, columns } = plugin
  if (!Array.isArray(rows)) throw inputError('bad-plugin', `rows of plug-in ${name} is not a list`)
  const checked = (rows as unknown[]).map((row, i) =>
    checkPluginRow(row, columns, `row ${i + 1} of plug-in ${name}`),
  )
  return createTable(
    { name, title: plugin.title ?? name },
    columns.map(column => ({
      name: column,
      heading: column,
      type: isNumeric(checked, column) ? ('number' as const) : ('text' as const),
      value: (row: PluginRow) => row[column]!,
    })),
    checked,
  )
}

/** Whether a column's values are numbers; a column without any value counts as text. */
const isNumeric = (rows: readonly PluginRow[], column: string): boolean =>
  rows.some(row => typeof row[column] === 'number') &&
  rows.every(row => typeof row[column] !== 'string')

type PluginRow = Readonly<Record<string, CellValue>>

function checkPluginRow(row: unknown, columns: readonly string[], where: string): PluginRow {
  const found = (row ?? {}) as Record<string, unknown>
  for (const column of columns) {
    const value = found[column]
    const fits = value === null || typeof value === 'string' || Number.isFinite(value)
    const shown =
      value === undefined
        ? 'absent'
        : typeof value === 'number'
          ? String(value)
          : JSON.stringify(value)
    if (!fits)
      throw inputError('bad-plugin', `${where}: ${column} is ${shown}, not a number, text or null`)
  }
  return found as PluginRow
}

async function loadPlugin(file: string): Promise<MetricPlugin> {
  const loaded: unknown = await import(pathToFileURL(file).href).catch((error: unknown) => {
    throw inputError('bad-plugin', `cannot load plug-in ${file}: ${messageOf(error)}`)
  })
  const plugin = (loaded as { default?: Partial<MetricPlugin> }).default
  const named =
    typeof plugin?.name === 'string' &&
    Array.isArray(plugin.columns) &&
    typeof plugin.rows === 'function'
  if (!named)
    throw inputError(
      'bad-plugin',
      `plug-in ${file} has no default export {name, columns, rows(run)}`,
    )
  return plugin as MetricPlugin
}
