/**
 * Checks the sentences of all pages, or of those named: `npm run prose [-- PAGE…]`. Spelling, repeated words and articles of every page by retext; in
 * README, Start and Guides no sentence has more than 25 words.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import dictionary from 'dictionary-en-gb'
import { retext } from 'retext'
import retextIndefiniteArticle from 'retext-indefinite-article'
import retextRepeatedWords from 'retext-repeated-words'
import retextSpell from 'retext-spell'
import { pages } from './commandLines.ts'

const longestSentence = 25

/** Words of the field and of this program that the English dictionary lacks, one a line. */
const personal = readFileSync(new URL('words.txt', import.meta.url))

/** Whether a text is a word: symbols, Greek letters and names with digits are not spelled. */
const isWord = (text: string): boolean => /^[a-z][a-z'’-]*$/i.test(text)

/** What the spelling leaves out. It asks each word's place here before it looks for other spellings, which takes long. */
const ignore = Object.assign<string[], Pick<string[], 'includes'>>([], {
  includes: word => !isWord(word),
})

const checker = retext()
  .use(retextSpell, { dictionary, personal, ignore })
  .use(retextRepeatedWords)
  .use(retextIndefiniteArticle)

/** Turns of phrase that readers have stumbled over. */
const clumsy =
  /\bwhat of it\b|\bwhere there (?:is|are) (?:one|none)\b|\bthe same[.;:]|\bis to be had\b|\bgoes by it\b|\bset apart\b|\bto be done\b/gi

/** Whether a page is for people who use geogap for the first time. */
const isPlain = (page: string): boolean => /^(README\.md|docs\/(index|start|guides)\b)/.test(page)

/** Laboratory notes and lists of names: their words are not checked. */
const isNotes = (page: string): boolean =>
  /^docs\/(developers\/|glossary|reference\/models\.md)/.test(page)

/** The paragraphs, headings, list items and cells of a page as plain text; code becomes `Code`. */
function paragraphsOf(markdown: string): string[] {
  const prose = markdown
    .replace(/^---\n[^]*?\n---\n/, '')
    .replaceAll(/^ *```[^]*?^ *```$/gm, '\n')
    .replaceAll(/<!--[^]*?-->|<[a-z/][^>]*>/g, ' ')
  const paragraphs: string[] = []
  let open = false
  for (const line of prose.split('\n')) {
    const begins = /^\s*(#+|[-*>]|\d+\.|\|) ?/.exec(line)
    const text = line.slice(begins?.[0].length ?? 0).trim()
    if (line.startsWith('|')) paragraphs.push(...text.split(/(?<!\\)\|/))
    else if (open && !begins && text !== '') paragraphs.push(`${paragraphs.pop()!} ${text}`)
    else paragraphs.push(text)
    open = text !== '' && !/^(#|\|)/.test(line)
  }
  return paragraphs.map(plainText).filter(text => /\p{L}/u.test(text))
}

const plainText = (text: string): string =>
  text
    .replaceAll(/!\[[^\]]*\]\([^)]*\)(\{[^}]*\})?/g, '')
    .replaceAll(/`[^`]+`/g, 'Code')
    .replaceAll(/\[([^\]]*)\]\([^)]*\)(\{[^}]*\})?/g, '$1')
    .replaceAll(/https?:\S+/g, 'Code')
    .replaceAll(/[*_]{1,2}(\S[^*_]*)[*_]{1,2}/g, '$1')
    .trim()

const segmenter = new Intl.Segmenter('en', { granularity: 'sentence' })

/** The sentences of a paragraph; one that ends in a colon before a list is one of its own. */
const sentencesOf = (paragraph: string): string[] =>
  Array.from(segmenter.segment(paragraph), ({ segment }) => segment.trim())

const wordCount = (sentence: string): number =>
  sentence.split(/\s+/).filter(word => /[\p{L}\p{N}]/u.test(word)).length

/** What is wrong with the sentences of a page, each with its sentence; sentences are short on a `plain` one. */
export async function proseFaults(
  page: string,
  { plain = isPlain(page) }: { plain?: boolean } = {},
): Promise<string[]> {
  if (isNotes(page)) return []
  const faults: string[] = []
  for (const paragraph of paragraphsOf(readFileSync(page, 'utf8'))) {
    const { messages } = await checker.process(paragraph.replaceAll(/['’]s\b/g, ''))
    faults.push(...messages.map(({ reason }) => `${reason}: ${paragraph.slice(0, 80)}`))
    for (const [phrase] of paragraph.matchAll(clumsy))
      faults.push(`\`${phrase}\` reads badly: ${paragraph.slice(0, 80)}`)
    if (!plain) continue
    for (const sentence of sentencesOf(paragraph))
      if (wordCount(sentence) > longestSentence)
        faults.push(
          `${wordCount(sentence)} words where ${longestSentence} are allowed: ${sentence}`,
        )
  }
  return faults
}

const [, script, ...asked] = process.argv
if (script === fileURLToPath(import.meta.url))
  for (const page of asked.length > 0 ? asked : pages())
    for (const fault of await proseFaults(page)) {
      process.stderr.write(`${page}: ${fault}\n`)
      process.exitCode = 1
    }
