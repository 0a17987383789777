import { readFileSync } from 'node:fs'

/** Reads a JSON data file of this package. */
export const readJson = (file: URL): unknown => JSON.parse(readFileSync(file, 'utf8'))

/** Parses JSON with or without a byte order mark; returns undefined if the text is not JSON. */
export function parseJson(content: string): unknown {
  try {
    return JSON.parse(content.replace(/^\ufeff/, ''))
  } catch {
    return undefined
  }
}

/** Returns a key that some object of a JSON text has twice, of which parsers keep the last value; undefined if none has. */
export function repeatedKey(json: string): string | undefined {
  const open: Set<string>[] = []
  const tokens = json.matchAll(/"([^"\\]*(?:\\.[^"\\]*)*)"\s*(:?)|[{}]/g)
  for (const [token, key, colon] of tokens) {
    if (token === '{') open.push(new Set())
    else if (token === '}') open.pop()
    else if (colon === ':') {
      const known = open.at(-1)
      if (known?.has(key!)) return key
      known?.add(key!)
    }
  }
  return undefined
}
