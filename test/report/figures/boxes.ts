/** Where the texts of an SVG stand, from its transforms and the fonts' own widths. */
import { textWidthPx } from '../../../src/report/figures/fonts.ts'

export interface TextBox {
  text: string
  left: number
  right: number
  top: number
  bottom: number
}

const decode = (text: string): string =>
  text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&')

interface Place {
  x: number
  y: number
  turned: number
  /** Of the element and, after them, of those above it. */
  attributes: string
}

/** Boxes of all upright and quarter-turned texts; slanted ones are left out. */
export function textBoxes(svg: string): TextBox[] {
  const stack: Place[] = [{ x: 0, y: 0, turned: 0, attributes: '' }]
  const boxes: TextBox[] = []
  let text = stack[0]!
  for (const [, close, tag, attributes, content] of svg.matchAll(
    /<(\/?)(g|text|tspan)\b([^>]*)>([^<]*)/g,
  )) {
    if (tag === 'g' && close) stack.pop()
    else if (tag === 'g') stack.push(moved(stack.at(-1)!, attributes!))
    else if (close) continue
    else if (tag === 'text') text = moved(stack.at(-1)!, attributes!)
    else text = { ...text, y: text.y + Number(/dy="([^"]*)"/.exec(attributes!)?.[1] ?? 0) }
    const box = tag !== 'g' && content!.trim() !== '' ? boxOf(text, decode(content!)) : undefined
    if (box) boxes.push(box)
  }
  return boxes
}

function moved({ x, y, turned, attributes: above }: Place, attributes: string): Place {
  const transform = /transform="([^"]*)"/.exec(attributes)?.[1] ?? ''
  const [, dx = '0', dy = '0'] = /translate\(([^,)]*),?([^)]*)\)/.exec(transform) ?? []
  const angle = Number(/rotate\(([^)]*)\)/.exec(transform)?.[1] ?? 0)
  return {
    x: x + Number(dx),
    y: y + Number(dy),
    turned: turned + angle,
    attributes: attributes + above,
  }
}

function boxOf({ x, y, turned, attributes }: Place, text: string): TextBox | undefined {
  const size = Number(/font-size="([\d.]+)px"/.exec(attributes)?.[1] ?? 11)
  const width = textWidthPx(text, size, attributes.includes('"bold"'))
  const anchor = /text-anchor="(\w+)"/.exec(attributes)?.[1] ?? 'start'
  const start = anchor === 'start' ? 0 : anchor === 'middle' ? -width / 2 : -width
  const [ascent, descent] = [0.72 * size, 0.05 * size]
  if (turned === 0)
    return { text, left: x + start, right: x + start + width, top: y - ascent, bottom: y + descent }
  if (turned !== -90) return undefined
  return { text, left: x - ascent, right: x + descent, top: y - start - width, bottom: y - start }
}

/** Pairs of texts that cover each other. */
export function overlaps(boxes: readonly TextBox[]): string[] {
  const found: string[] = []
  for (const [i, a] of boxes.entries()) {
    for (const b of boxes.slice(i + 1)) {
      if (a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)
        found.push(`${a.text} | ${b.text}`)
    }
  }
  return found
}
