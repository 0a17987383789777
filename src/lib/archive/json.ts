import { z } from 'zod'

/** The value that JSON text holds, with or without a byte order mark; undefined when it is not JSON. */
export function parseJson(content: string): unknown {
  try {
    return JSON.parse(content.replace(/^\ufeff/, ''))
  } catch {
    return undefined
  }
}

/** An object of lists of names (or numbers), as label maps and region schemes are. */
export const nameListsSchema = z.record(
  z.string(),
  z.array(z.union([z.string(), z.number()]).transform(String)),
)
