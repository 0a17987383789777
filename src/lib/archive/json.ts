/** Parses JSON with or without a byte order mark; returns undefined if the text is not JSON. */
export function parseJson(content: string): unknown {
  try {
    return JSON.parse(content.replace(/^\ufeff/, ''))
  } catch {
    return undefined
  }
}
