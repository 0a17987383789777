/** The value that JSON text holds, with or without a byte order mark; undefined when it is not JSON. */
export function parseJson(content: string): unknown {
  try {
    return JSON.parse(content.replace(/^\ufeff/, ''))
  } catch {
    return undefined
  }
}

/** Whether a value is an object of lists of names (or numbers), as label maps and region schemes are. */
export const isListRecord = (value: unknown): value is Record<string, (string | number)[]> =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  Object.values(value).every(
    list => Array.isArray(list) && list.every(entry => typeof entry === 'string' || typeof entry === 'number'),
  )
