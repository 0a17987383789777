/* Cleaning of texts before they become tokens, as OpenCLIP's tokenizer.py does it with ftfy 6.3.1. */
import { decodeHTML } from 'entities/decode'
import { type TokenizerSettings } from '../families/family.ts'
import { repairMojibake, replaceControls } from './mojibake.ts'

/** Repairs a text's characters line by line: HTML entities (unless a tag was seen), mojibake, widths, quotes, controls. */
function fixText(text: string): string {
  let unescapes = true
  return (text.match(/[^\n]*\n|[^\n]+/g) ?? [])
    .map(line => {
      unescapes &&= !line.includes('<')
      return fixLine(line, unescapes)
    })
    .join('')
}

function fixLine(line: string, unescapes: boolean): string {
  const unescaped = unescapes ? line.replace(/&#?[0-9A-Za-z]{1,24};/g, unescapeEntity) : line
  const fixed = characterRepairs
    .reduce(
      (text, [pattern, by]) => text.replace(pattern, by),
      replaceControls(repairMojibake(unescaped)),
    )
    .normalize('NFC')
  return fixed === line ? line : fixLine(fixed, unescapes)
}

/** Names of lower case are entities in upper case too, with the character in upper case. */
function unescapeEntity(entity: string): string {
  const known = decodeHTML(entity)
  if (known !== entity) return known
  const folded = entity.toLowerCase()
  if (folded.startsWith('&#') || entity !== entity.toUpperCase()) return entity
  const character = decodeHTML(folded)
  return character === folded ? entity : character.toUpperCase()
}

const toCompatible = (character: string): string => character.normalize('NFKC')

const characterRepairs: readonly (readonly [RegExp, (found: string) => string])[] = [
  [/\ufb05/g, () => 'ſt'],
  [/[ĲĳŉǄ-ǌǱ-ǳ\ufb00-\ufb04\ufb06]/g, toCompatible],
  [/[\u3000\uff01-\uffef]/g, toCompatible],
  [/[\u02bc\u2018-\u201b]/g, () => "'"],
  [/[\u201c-\u201f]/g, () => '"'],
  [/\r\n|[\r\u2028\u2029\x85]/g, () => '\n'],
  [/\p{Surrogate}/gu, () => '\ufffd'],
  [/\x1b\[[\d;]*[a-zA-Z]/g, () => ''],
  [/[\0-\x08\x0b\x0e-\x1f\x7f\u206a-\u206f\ufeff\ufff9-\ufffc]/g, () => ''],
]

/** White space as Python's `str.split` defines it. */
const whitespace = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/

const joinWords = (text: string): string =>
  text
    .split(whitespace)
    .filter(word => word !== '')
    .join(' ')

const repair = (text: string): string => decodeHTML(decodeHTML(fixText(text)))

const punctuation = /[!-/:-@[-`{-~]/g

/** Returns cleaners of texts by OpenCLIP's names for them. */
export const textCleaners: Readonly<
  Record<TokenizerSettings['cleaning'], (text: string) => string>
> = {
  lower: text => joinWords(repair(text)).toLowerCase(),
  whitespace: text => joinWords(repair(text)),
  canonicalize: text =>
    joinWords(repair(text).replaceAll('_', ' ').replace(punctuation, '').toLowerCase()),
  case: text => text.toLowerCase(),
  none: text => text,
}
