import { z } from 'zod'

/** Parses JSON with or without a byte order mark; returns undefined if the text is not JSON. */
export function parseJson(content: string): unknown {
  try {
    return JSON.parse(content.replace(/^\ufeff/, ''))
  } catch {
    return undefined
  }
}

/** The schema of objects of lists of names or numbers, such as label maps and region schemes. */
export const nameListsSchema = z.record(
  z.string(),
  z.array(z.union([z.string(), z.number()]).transform(String)),
)
