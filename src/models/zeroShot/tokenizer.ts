import { readFile, stat } from 'node:fs/promises'
import { createContext, Script } from 'node:vm'
import { firstLine, inputError } from '../../lib/errors.ts'
import { type TokenizerSettings } from '../families/family.ts'
import { charsMapNormalizer } from './charsMap.ts'

/** Returns the ids of a text's tokens, start and end tokens included. */
export type Tokenizer = (text: string) => number[]

/**
 * Loads a `tokenizer.json`. Texts are cleaned first; of a text with more tokens than the context length, the end token, if the
 * file has one, is kept behind the first ones.
 * @throws GeogapError `bad-tokenizer`
 */
export async function loadTokenizer(file: string, settings: TokenizerSettings): Promise<Tokenizer> {
  const { contextLength, cleaning, padding } = settings
  const { encode, dropped, ends } = await loadLibraryTokenizer(file, settings)
  const { textCleaners } = await import('./cleanText.ts')
  const clean = textCleaners[cleaning]
  return text => {
    const ids = encode(clean(text))
    const cut =
      ids.length > contextLength
        ? [...ids.slice(0, contextLength - ends), ...ids.slice(ids.length - ends)]
        : ids
    return cut.map(id => (id === dropped ? padding : id))
  }
}

/** The used part of the library, whose own types do not resolve under Node's module rules. */
interface TokenizerLibrary {
  Tokenizer: new (tokenizer: object, config: object) => LibraryTokenizer
}

interface LibraryTokenizer {
  encode(text: string): { ids: number[] }
  token_to_id(token: string): number | undefined
  normalizer: Normalizer | null
}

interface Normalizer {
  config: { type?: string; precompiled_charsmap?: string; lowercase?: boolean }
  /** The parts of a sequence. */
  normalizers?: (Normalizer | null)[]
  normalize(text: string): string
}

/** Returns the file's encoding of cleaned texts, the number of tokens that end each, and the id of the token that becomes padding. */
async function loadLibraryTokenizer(
  file: string,
  settings: Pick<TokenizerSettings, 'language' | 'dropped'>,
): Promise<{ encode: Tokenizer; ends: number; dropped: number | undefined }> {
  const { Tokenizer } = (await import('@huggingface/tokenizers')) as unknown as TokenizerLibrary
  const text = await readTokenizer(file)
  const refuse = (error: unknown): never => {
    throw inputError('bad-tokenizer', `${file} is not a tokenizer.json: ${firstLine(error)}`)
  }
  const bounded = createTimeLimit()
  try {
    const content: unknown = JSON.parse(text)
    // The library looks there, not in the model, for what whole-word models give unknown words.
    const config = { unk_token: (content as TokenizerFile | null)?.model?.unk_token }
    const corrected = withLanguage(withUnicodeWords(content), settings) as TokenizerFile
    const library = bounded(() => new Tokenizer(corrected, config))
    correctNormalizers(library.normalizer)
    const encode: Tokenizer = cleaned => {
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
    const { dropped } = settings
    const ends = endTokens(corrected.post_processor)
    return {
      encode,
      ends,
      dropped: dropped === undefined ? undefined : library.token_to_id(dropped),
    }
  } catch (error) {
    return refuse(error)
  }
}

/** Letters, marks, digits and joiners, as `\w` of Hugging Face's tokenizers has them; the library's own is ASCII's. */
const wordCharacters = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}'
const unicodeWords = {
  type: 'Split',
  pattern: { Regex: `[${wordCharacters}]+|[^${wordCharacters}\\s]+` },
  behavior: 'Removed',
  invert: true,
}

/** Replaces pre-tokenizers of the type `Whitespace`, which in the library split words at letters that are not ASCII's. */
function withUnicodeWords(tokenizer: unknown): unknown {
  const corrected = (part: PreTokenizerFile | null | undefined): unknown => {
    if (part?.type === 'Whitespace') return unicodeWords
    return part?.pretokenizers
      ? { ...part, pretokenizers: part.pretokenizers.map(corrected) }
      : part
  }
  const file = tokenizer as { pre_tokenizer?: PreTokenizerFile | null } | null
  return file?.pre_tokenizer ? { ...file, pre_tokenizer: corrected(file.pre_tokenizer) } : file
}

interface TokenizerFile {
  model?: { unk_token?: unknown }
  post_processor?: PostProcessorFile | null
}

interface PostProcessorFile {
  type?: string
  /** The parts of a sequence. */
  processors?: (PostProcessorFile | null)[]
  /** The text and the tokens around it, in order. */
  single?: object[]
}

/** Returns how many tokens a post-processor puts behind a text. */
function endTokens(part: PostProcessorFile | null | undefined): number {
  const { type, processors = [], single = [] } = part ?? {}
  const inside = processors.reduce((sum, one) => sum + endTokens(one), 0)
  const text = single.findLastIndex(piece => 'Sequence' in piece)
  return inside + (/^(Bert|Roberta)Processing$/.test(type ?? '') ? 1 : single.length - 1 - text)
}

interface PreTokenizerFile {
  type?: string
  /** The parts of a sequence. */
  pretokenizers?: (PreTokenizerFile | null)[]
}

/** Puts a language's token before texts and the end token after them, whatever the file's template says. */
function withLanguage(
  tokenizer: unknown,
  { language }: Pick<TokenizerSettings, 'language'>,
): object {
  if (language === undefined) return tokenizer as object
  const file = tokenizer as { added_tokens?: { content: string; id: number }[] }
  const special = (content: string): object => ({ SpecialToken: { id: content, type_id: 0 } })
  const idOf = (content: string): object => {
    const found = file.added_tokens?.find(token => token.content === content)
    if (!found) throw new Error(`it has no token ${content}`)
    return { id: content, ids: [found.id], tokens: [content] }
  }
  const end = '</s>'
  return {
    ...file,
    post_processor: {
      type: 'TemplateProcessing',
      single: [special(language), { Sequence: { id: 'A', type_id: 0 } }, special(end)],
      pair: [],
      special_tokens: { [language]: idOf(language), [end]: idOf(end) },
    },
  }
}

/**
 * Replaces normalizers in which the library differs from Hugging Face's tokenizers 0.22: it applies NFKC instead of a file's
 * own map of characters, and lowers a Greek sigma by its place in the word instead of character by character.
 */
function correctNormalizers(normalizer: Normalizer | null): void {
  if (!normalizer) return
  for (const part of normalizer.normalizers ?? []) correctNormalizers(part)
  const { type, precompiled_charsmap: map, lowercase = true } = normalizer.config
  if (type === 'Precompiled' && map) normalizer.normalize = charsMapNormalizer(map)
  if ((type === 'BertNormalizer' && lowercase) || type === 'Lowercase') {
    const lowered = normalizer.normalize.bind(normalizer)
    normalizer.normalize = text => lowered(text.replaceAll('Σ', 'σ'))
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

/** Returns rows of ids, filled up to `length` with `padding`, and the mask, 0 on padding: both int64 [rows, length]. */
export function padTokens(
  rows: readonly number[][],
  { length, padding }: { length: number; padding: number },
): { tokens: BigInt64Array; mask: BigInt64Array } {
  const filler = BigInt(padding)
  const tokens = new BigInt64Array(rows.length * length).fill(filler)
  for (const [i, ids] of rows.entries()) tokens.set(ids.map(BigInt), i * length)
  return { tokens, mask: tokens.map(id => (id === filler ? 0n : 1n)) }
}
