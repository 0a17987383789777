/* Widths of texts in columns of a terminal. `string-width` slows down the start, so processes that print nothing do not load it. */
import stringWidth from 'string-width'
import { withUnbrokenSpaces } from './text.ts'

/** Returns the number of terminal columns that a text takes. */
export const textWidth = (text: string): number =>
  /^[ -~–−]*$/.test(text) ? text.length : stringWidth(text)

/** Pads with spaces to `width` terminal columns. */
export function padText(text: string, width: number, right: boolean): string {
  const fill = ' '.repeat(Math.max(0, width - textWidth(text)))
  return right ? fill + text : text + fill
}

/** Returns a text cut to `width` terminal columns, with an ellipsis where it was cut; at least the ellipsis stays. */
export function shortenText(text: string, width: number): string {
  if (textWidth(text) <= width) return text
  const letters = Array.from(text)
  while (letters.length > 0 && textWidth(`${letters.join('')}…`) > width) letters.pop()
  return `${letters.join('')}…`
}

/** Returns the parts of a text between which a line may break. */
export const wordsOf = (text: string): string[] =>
  withUnbrokenSpaces(text.trim())
    .split(/ +/)
    .map(word => word.replaceAll('\u00a0', ' '))

/**
 * Returns a text in lines of at most `width` terminal columns, broken at spaces or, in a longer word, after punctuation, else
 * anywhere; a line keeps its indent, and a number its percent sign.
 */
export function wrapWords(text: string, width: number): string[] {
  if (textWidth(text) <= width) return [text]
  const [indent = ''] = /^ */.exec(text) ?? []
  const lines: string[] = []
  let line = indent
  for (const word of wordsOf(text)) {
    let rest = word
    const joined = line.trim() === '' ? `${line}${rest}` : `${line} ${rest}`
    if (textWidth(joined) <= width) {
      line = joined
      continue
    }
    if (line.trim() !== '') lines.push(line)
    while (textWidth(indent + rest) > width) {
      const letters = Array.from(rest)
      let taken = letters.length
      while (taken > 1 && textWidth(indent + letters.slice(0, taken).join('')) > width) taken--
      const mark = letters.slice(0, taken).findLastIndex(letter => '_.-/:'.includes(letter))
      if (mark >= taken / 2) taken = mark + 1
      lines.push(indent + letters.slice(0, taken).join(''))
      rest = letters.slice(taken).join('')
    }
    line = indent + rest
  }
  return [...lines, line]
}
