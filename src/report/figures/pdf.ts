/*
 * Writes the SVG that renderSvg makes as PDF with real text: groups with translate and rotate, paths, lines, rectangles,
 * circles, texts with tspans, rectangular clips and horizontal gradients. Vega draws figures with nothing else.
 */
import type PDFDocument from 'pdfkit'
import { fontFiles } from './measure.ts'

type Doc = InstanceType<typeof PDFDocument>
type Attributes = Readonly<Record<string, string>>

interface Node {
  tag: string
  attributes: Attributes
  children: Node[]
  text: string
}

/** The drawing as one page of its size; `title` is the document's. */
export async function renderPdf(svg: string, title: string): Promise<Uint8Array> {
  const { default: Document } = await import('pdfkit')
  const root = parse(svg)
  const size: [number, number] = [number(root.attributes['width']), number(root.attributes['height'])]
  const [regular, bold] = fontFiles()
  const doc = new Document({ size, margin: 0, info: { Title: title } })
  doc.registerFont('regular', regular).registerFont('bold', bold)
  const parts: Uint8Array[] = []
  const done = new Promise<void>((resolve, reject) => {
    doc.on('data', (part: Uint8Array) => parts.push(part))
    doc.on('end', resolve)
    doc.on('error', reject)
  })
  const named = new Map(descendants(root).map(node => [node.attributes['id'] ?? '', node]))
  for (const child of root.children) draw(doc, child, { fill: 'black' }, named)
  doc.end()
  await done
  return Buffer.concat(parts)
}

/** A tree of the elements; Vega writes well-formed markup without comments. */
function parse(svg: string): Node {
  const top: Node = { tag: '', attributes: {}, children: [], text: '' }
  const open = [top]
  for (const [, close, tag, attributes, empty, text] of svg.matchAll(/<(\/?)([\w]+)([^>]*?)(\/?)>([^<]*)/g)) {
    if (close) open.pop()
    else {
      const node: Node = { tag: tag!, attributes: attributesOf(attributes!), children: [], text: decoded(text!) }
      open.at(-1)!.children.push(node)
      if (!empty) open.push(node)
    }
  }
  return top.children[0]!
}

const attributesOf = (text: string): Attributes =>
  Object.fromEntries([...text.matchAll(/([\w:-]+)="([^"]*)"/g)].map(([, name, value]) => [name!, value!]))

const decoded = (text: string): string =>
  text.replace(/&(lt|gt|quot|amp|#39);/g, (_, name: string) => ({ lt: '<', gt: '>', quot: '"', amp: '&' })[name] ?? "'")

const descendants = (node: Node): Node[] => [node, ...node.children.flatMap(descendants)]

const number = (text: string | undefined, otherwise = 0): number => (text === undefined ? otherwise : parseFloat(text))

const inherited = [
  ...['fill', 'stroke', 'fill-opacity', 'stroke-opacity', 'stroke-width'],
  ...['font-size', 'font-weight', 'text-anchor'],
]

function draw(doc: Doc, node: Node, above: Attributes, named: ReadonlyMap<string, Node>): void {
  const { tag, attributes } = node
  if (tag === 'defs' || tag === 'title') return
  const style = {
    ...Object.fromEntries(Object.entries(above).filter(([name]) => inherited.includes(name))),
    ...attributes,
  }
  doc.save()
  move(doc, attributes['transform'] ?? '')
  clip(doc, attributes['clip-path'], named)
  if (tag === 'g') for (const child of node.children) draw(doc, child, style, named)
  else if (tag === 'text') drawText(doc, node, style)
  else paint(doc, node, style, named)
  doc.restore()
}

function move(doc: Doc, transform: string): void {
  for (const [, name, values] of transform.matchAll(/(\w+)\(([^)]*)\)/g)) {
    const [a = 0, b = 0] = values!.split(/[ ,]+/).map(Number)
    if (name === 'translate') doc.translate(a, b)
    else if (name === 'rotate') doc.rotate(a)
    else if (name === 'scale') doc.scale(a, b || a)
  }
}

function clip(doc: Doc, reference: string | undefined, named: ReadonlyMap<string, Node>): void {
  const shape = named.get(idIn(reference))?.children[0]
  if (shape && outline(doc, shape.tag, shape.attributes)) doc.clip()
}

const idIn = (reference = ''): string => /url\(#([^)]*)\)/.exec(reference)?.[1] ?? '-'

/** Lays the element's path; false where it has none. */
function outline(doc: Doc, tag: string, at: Attributes): boolean {
  const [x, y, width, height] = ['x', 'y', 'width', 'height'].map(name => number(at[name])) as Box
  if (tag === 'path' && at['d']) doc.path(at['d'])
  else if (tag === 'rect' && at['width'] === '100%') doc.rect(0, 0, doc.page.width, doc.page.height)
  else if (tag === 'rect') doc.rect(x, y, width, height)
  else if (tag === 'circle') doc.circle(number(at['cx']), number(at['cy']), number(at['r']))
  else if (tag === 'line') doc.moveTo(number(at['x1']), number(at['y1'])).lineTo(number(at['x2']), number(at['y2']))
  else return false
  return true
}

type Box = [number, number, number, number]
type Paint = string | [number, number, number] | PDFKit.PDFGradient

/** A path that nothing paints must not be laid: the next one would carry it along. */
function paint(doc: Doc, { tag, attributes: own }: Node, style: Attributes, named: ReadonlyMap<string, Node>): void {
  const fill = paintOf(doc, style['fill'], own, named)
  const stroke = paintOf(doc, style['stroke'], own, named)
  if ((!fill && !stroke) || !outline(doc, tag, own)) return
  const all = number(own['opacity'], 1)
  doc.fillOpacity(all * number(style['fill-opacity'], 1)).strokeOpacity(all * number(style['stroke-opacity'], 1))
  doc.lineWidth(number(style['stroke-width'], 1))
  const dash = own['stroke-dasharray']?.split(/[ ,]+/).map(Number)
  if (dash) doc.dash(dash[0]!, { space: dash[1] ?? dash[0]! })
  if (fill && stroke) doc.fillAndStroke(fill, stroke)
  else if (fill) doc.fill(fill)
  else doc.stroke(stroke!)
}

function paintOf(doc: Doc, value: string | undefined, box: Attributes, named: ReadonlyMap<string, Node>): Paint | null {
  if (value === undefined || value === 'none' || value === 'transparent') return null
  const rgb = /^rgb\(([\d.]+), ?([\d.]+), ?([\d.]+)\)$/.exec(value)?.slice(1).map(Number)
  if (rgb) return rgb as [number, number, number]
  const gradient = named.get(idIn(value))
  if (!gradient) return value
  const [x, width] = extent(box)
  const made = doc.linearGradient(x, 0, x + width, 0)
  for (const { attributes } of gradient.children) {
    const stop = paintOf(doc, attributes['stop-color'], {}, named)
    made.stop(number(attributes['offset']), stop as string)
  }
  return made
}

/** Left end and width of a rectangle, or of the path that Vega draws for one (`M0,0h200v9h-200Z`). */
function extent(at: Attributes): [number, number] {
  const path = /^M([\d.-]+),[\d.-]+h([\d.]+)/.exec(at['d'] ?? '')
  return path ? [Number(path[1]), Number(path[2])] : [number(at['x']), number(at['width'])]
}

function drawText(doc: Doc, { text, children }: Node, style: Attributes): void {
  doc.font(style['font-weight'] === 'bold' ? 'bold' : 'regular').fontSize(number(style['font-size'], 11))
  const opacity = number(style['opacity'], 1) * number(style['fill-opacity'], 1)
  doc.fillColor(style['fill'] ?? 'black').fillOpacity(opacity)
  const anchor = { middle: 0.5, end: 1 }[style['text-anchor'] ?? ''] ?? 0
  let y = 0
  for (const line of children.length === 0 ? [{ text, attributes: {} as Attributes }] : children) {
    y += number(line.attributes['dy'])
    if (line.text === '') continue
    doc.text(line.text, -anchor * doc.widthOfString(line.text), y, { lineBreak: false, baseline: 'alphabetic' })
  }
}
