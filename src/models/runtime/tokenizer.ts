import { decodeHTML } from 'entities/decode'
import { readFile, stat } from 'node:fs/promises'
import { createContext, Script } from 'node:vm'
import { firstLine, inputError } from '../../lib/errors.ts'
import { type DualEncoder } from '../families/family.ts'

/** Returns the ids of a text's tokens, start and end tokens included. */
export type Tokenizer = (text: string) => number[]

/**
 * Loads a `tokenizer.json`. Texts of more than `contextLength` tokens are cut; the last token is kept.
 * @throws GeogapError `bad-tokenizer`
 */
export async function loadTokenizer(
  file: string,
  { textCleaning, contextLength }: Pick<DualEncoder, 'textCleaning' | 'contextLength'>,
): Promise<Tokenizer> {
  const encode = await loadLibraryTokenizer(file)
  const clean = textCleaners[textCleaning]
  return text => {
    const ids = encode(clean(text))
    return ids.length > contextLength ? [...ids.slice(0, contextLength - 1), ids.at(-1)!] : ids
  }
}

/** The used part of the library, whose own types do not resolve under Node's module rules. */
interface TokenizerLibrary {
  Tokenizer: new (tokenizer: object, config: object) => { encode(text: string): { ids: number[] } }
}

async function loadLibraryTokenizer(file: string): Promise<Tokenizer> {
  const { Tokenizer } = (await import('@huggingface/tokenizers')) as unknown as TokenizerLibrary
  const text = await readTokenizer(file)
  const refuse = (error: unknown): never => {
    throw inputError('bad-tokenizer', `${file} is not a tokenizer.json: ${firstLine(error)}`)
  }
  const bounded = createTimeLimit()
  try {
    const library = bounded(() => new Tokenizer(JSON.parse(text) as object, {}))
    return cleaned => {
      try {
        const { ids } = bounded(() => library.encode(cleaned))
        const isTokenId = (id: unknown): boolean =>
          Number.isInteger(id) && (id as number) >= 0 && (id as number) <= maxTokenId
        const bad = ids.findIndex(id => !isTokenId(id))
        if (bad >= 0) throw new Error(`a text has the token id ${String(ids[bad])}`)
        if (ids.length === 0) throw new Error('a text has no token')
        return ids
      } catch (error) {
        return refuse(error)
      }
    }
  } catch (error) {
    return refuse(error)
  }
}

const maxTokenizerBytes = 100_000_000
const maxTokenId = 10_000_000
/** Most time (ms) for loading, and for a text: the patterns of a hostile file can backtrack for ever. */
const timeLimitMs = 3_000

async function readTokenizer(file: string): Promise<string> {
  try {
    const { size } = await stat(file)
    if (size > maxTokenizerBytes) throw new Error(`${size} bytes, more than ${maxTokenizerBytes}`)
    return await readFile(file, 'utf8')
  } catch (error) {
    throw inputError('bad-tokenizer', `cannot read the tokenizer ${file}: ${firstLine(error)}`)
  }
}

/** Returns a function that calls another one and ends it, by an error, after the time limit. */
function createTimeLimit(): <T>(work: () => T) => T {
  const sandbox: { work?: () => unknown } = {}
  const context = createContext(sandbox)
  const script = new Script('work()')
  return <T>(work: () => T): T => {
    sandbox.work = work
    return script.runInContext(context, { timeout: timeLimitMs }) as T
  }
}

/** Returns rows of ids, padded with 0 to `length`, and the mask, 0 on padding: both int64 [rows, length]. */
export function padTokens(
  rows: readonly number[][],
  length: number,
): { tokens: BigInt64Array; mask: BigInt64Array } {
  const tokens = new BigInt64Array(rows.length * length)
  const mask = new BigInt64Array(rows.length * length)
  for (const [i, ids] of rows.entries()) {
    tokens.set(ids.map(BigInt), i * length)
    mask.fill(1n, i * length, i * length + ids.length)
  }
  return { tokens, mask }
}

/**
 * Cleans a text in OpenCLIP's order: ftfy's repairs of characters, HTML entities twice, runs of white space, lower case.
 * ftfy's repair of text decoded with a wrong encoding is left out.
 */
function cleanForClip(text: string): string {
  const unescaped = decodeHTML(
    decodeHTML(
      characterRepairs.reduce((mended, [pattern, by]) => mended.replace(pattern, by), text),
    ),
  )
  return unescaped
    .split(/[\s\x85]+/)
    .filter(word => word !== '')
    .join(' ')
    .toLowerCase()
}

const toCompatible = (character: string): string => character.normalize('NFKC')

const characterRepairs: readonly (readonly [RegExp, (found: string) => string])[] = [
  [/[ĲĳŉǄ-ǌǱ-ǳ\ufb00-\ufb06]/g, toCompatible],
  [/[\u3000\uff01-\uffef]/g, toCompatible],
  [/[\u02bc\u2018-\u201b]/g, () => "'"],
  [/[\u201c-\u201f]/g, () => '"'],
  [/[\0-\x08\x0b\x0e-\x1f\x7f\u206a-\u206f\ufeff\ufff9-\ufffc]/g, () => ''],
]

const textCleaners: Readonly<Record<DualEncoder['textCleaning'], (text: string) => string>> = {
  clip: cleanForClip,
  bert: text => text,
}
