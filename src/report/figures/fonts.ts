import { textWidth } from './measure.ts'

export { fontFamily, textWidth } from './measure.ts'

/** `text`, cut with an ellipsis where it is wider than `width` pixels. */
export function fitText(text: string, width: number, size: number, bold = false): string {
  if (textWidth(text, size, bold) <= width) return text
  const characters = Array.from(text)
  while (characters.length > 1 && textWidth(`${characters.join('')}…`, size, bold) > width)
    characters.pop()
  return `${characters.join('').trimEnd()}…`
}

/** `text` in lines of at most `width` pixels, broken at spaces; a longer word stays whole. */
export function wrapText(text: string, width: number, size: number, bold = false): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const longer = lines.length > 0 ? `${lines.at(-1)!} ${word}` : word
    if (lines.length > 0 && textWidth(longer, size, bold) <= width) lines[lines.length - 1] = longer
    else lines.push(word)
  }
  return lines
}
