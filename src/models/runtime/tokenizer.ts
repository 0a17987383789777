import { decodeHTML } from 'entities/decode'
import { readFile } from 'node:fs/promises'
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
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw inputError('bad-tokenizer', `cannot read the tokenizer ${file}: ${firstLine(error)}`)
  })
  try {
    const library = new Tokenizer(JSON.parse(text) as object, {})
    return cleaned => library.encode(cleaned).ids
  } catch (error) {
    throw inputError('bad-tokenizer', `${file} is not a tokenizer.json: ${firstLine(error)}`)
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
