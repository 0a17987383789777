import { textWidthPx } from './measure.ts'
import { fontSizePx, titleSizePx } from './theme.ts'

export { textWidthPx } from './measure.ts'

/** The size of a text in pixels, by default that of labels, and its weight. */
export interface TextFont {
  size?: number
  bold?: boolean
}

export const titleFont: TextFont = { size: titleSizePx, bold: true }

/** Returns `text`, cut with an ellipsis if it is wider than `width` pixels. */
export function fitText(
  text: string,
  width: number,
  { size = fontSizePx, bold = false }: TextFont = {},
): string {
  if (textWidthPx(text, size, bold) <= width) return text
  const characters = Array.from(text)
  while (characters.length > 1 && textWidthPx(`${characters.join('')}…`, size, bold) > width)
    characters.pop()
  return `${characters.join('').trimEnd()}…`
}

/** Returns the lines of `text`, broken at spaces, of at most `width` pixels; a longer word stays whole. */
export function wrapText(
  text: string,
  width: number,
  { size = fontSizePx, bold = false }: TextFont = {},
): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const longer = lines.length > 0 ? `${lines.at(-1)!} ${word}` : word
    if (lines.length > 0 && textWidthPx(longer, size, bold) <= width)
      lines[lines.length - 1] = longer
    else lines.push(word)
  }
  return lines
}
