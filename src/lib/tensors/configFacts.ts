/** Checks what the configuration beside a checkpoint says and its tensors do not, by the table `configFacts.tsv`. */
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseJson } from '../archive/json.ts'
import { readTsv } from '../archive/tsv.ts'
import { quoteForMessage, weightsError } from '../errors.ts'
import { suits } from './otherLibraries.ts'

/** Returns the content of `config.json` in the folder of a file; undefined if there is none, or if it is not of transformers. */
export async function configBeside(file: string): Promise<Record<string, unknown> | undefined> {
  const text = await readFile(join(dirname(file), 'config.json'), 'utf8').catch(() => '')
  const config = parseJson(text) as Record<string, unknown> | null | undefined
  return typeof config?.['model_type'] === 'string' ? config : undefined
}

/**
 * Checks the configuration beside a checkpoint of a library, if there is one, against what an architecture computes.
 * @throws GeogapError `weights-mismatch` naming the first field that contradicts it
 */
export async function checkConfig(
  file: string,
  { library, architecture }: { library: string; architecture: string },
): Promise<void> {
  const config = await configBeside(file)
  if (!config) return
  type Column = 'library' | 'field' | 'architectures' | 'values' | 'otherwise'
  const seen = new Set<string>()
  for (const row of readTsv<Column>(new URL('./configFacts.tsv', import.meta.url))) {
    const { field, values, otherwise } = row
    const isOther = !suits(library, row.library) || seen.has(field)
    if (isOther || !row.architectures.split(' ').some(name => suits(architecture, name))) continue
    seen.add(field)
    const found = shown(valueAt(config, field) ?? otherwise)
    if (found === '' || isAmong(found, values)) continue
    throw weightsError(
      'weights-mismatch',
      `weights do not fit the model: ${quoteForMessage(file, 200)}: the config.json beside them has ${field} ${quoteForMessage(found)}, and ${architecture} computes ${values.replaceAll(' ', ' or ')}: name another architecture, or export the model to ONNX`,
    )
  }
}

const valueAt = (config: Record<string, unknown>, field: string): unknown =>
  field
    .split('.')
    .reduce<unknown>(
      (inside, key) => (inside as Record<string, unknown> | null | undefined)?.[key],
      config,
    )

const shown = (value: unknown): string =>
  typeof value === 'string' ? value : JSON.stringify(value)

const isAmong = (found: string, values: string): boolean =>
  values.startsWith('<=')
    ? Number(found) <= Number(values.slice(2))
    : values.split(' ').includes(found)
