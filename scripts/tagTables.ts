/** What the scripts share that write the tables of pretrained tags. */
import { readFile, writeFile } from 'node:fs/promises'
import { normalizations } from '../src/models/recipes.ts'

/** Reads the tags of a registry: a JSON file whose `pretrained` lists them. */
export async function readPretrainedTags<Tag>(file: string): Promise<Tag[]> {
  const { pretrained } = JSON.parse(await readFile(file, 'utf8')) as { pretrained: Tag[] }
  return pretrained
}

/** Returns the name that tag tables have for a mean and a standard deviation. */
export function normalizationName({ mean, std }: { mean: number[]; std: number[] }): string {
  const isClose = (a: readonly number[], b: readonly number[]): boolean =>
    a.every((value, i) => Math.abs(value - b[i]!) < 1e-9)
  const found = Object.entries(normalizations).find(
    ([, known]) => isClose(known.mean, mean) && isClose(known.std, std),
  )
  if (!found) throw new Error(`no name for the mean ${String(mean)} and deviation ${String(std)}`)
  return found[0]
}

/** Writes `src/models/NAME`: a line of column names, then one line for each row of cells by column. */
export async function writeTagTable(
  name: string,
  rows: readonly Readonly<Record<string, string | number>>[],
): Promise<void> {
  const lines = rows.map(row => Object.values(row).join('\t'))
  const head = Object.keys(rows[0]!).join('\t')
  const file = new URL(`../src/models/${name}`, import.meta.url)
  await writeFile(file, `${[head, ...lines].join('\n')}\n`)
}
