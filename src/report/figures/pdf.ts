/*
 * Writes the SVG that renderSvg makes as PDF with real text: groups with translate and rotate, paths, lines, rectangles,
 * circles, texts with tspans, rectangular clips and horizontal gradients. Vega draws figures with nothing else.
 */
import type PDFDocument from 'pdfkit'
import { fontFiles } from './measure.ts'

type PdfDocument = InstanceType<typeof PDFDocument>
/** The document that is drawn on, and the nodes that others refer to by their id. */
interface PdfCanvas {
  doc: PdfDocument
  nodesById: ReadonlyMap<string, SvgNode>
}

type SvgAttributes = Readonly<Record<string, string>>

interface SvgNode {
  tag: string
  attributes: SvgAttributes
  children: SvgNode[]
  text: string
}

/** A CSS pixel in points, so that text of 11 pixels has 8.25 points and 321 pixels are 85 mm. */
const pointsPerPixel = 0.75

/** The drawing as one page of its size; `title` is the document's. */
export async function renderPdf(svg: string, title: string): Promise<Uint8Array> {
  const { default: Document } = await import('pdfkit')
  const root = parseSvg(svg)
  const size: [number, number] = [
    pointsPerPixel * parseNumber(root.attributes['width']),
    pointsPerPixel * parseNumber(root.attributes['height']),
  ]
  const [regular, bold] = fontFiles()
  const doc = new Document({ size, margin: 0, info: { Title: title } })
  doc.registerFont('regular', regular).registerFont('bold', bold)
  const parts: Uint8Array[] = []
  const done = new Promise<void>((resolve, reject) => {
    doc.on('data', (part: Uint8Array) => parts.push(part))
    doc.on('end', resolve)
    doc.on('error', reject)
  })
  const nodesById = new Map(descendants(root).map(node => [node.attributes['id'] ?? '', node]))
  doc.scale(pointsPerPixel)
  for (const child of root.children) drawNode({ doc, nodesById }, child, { fill: 'black' })
  doc.end()
  await done
  return Buffer.concat(parts)
}

/** A tree of the elements; Vega writes well-formed markup without comments. */
function parseSvg(svg: string): SvgNode {
  const top: SvgNode = { tag: '', attributes: {}, children: [], text: '' }
  const open = [top]
  for (const [, close, tag, attributes, empty, text] of svg.matchAll(
    /<(\/?)([\w]+)([^>]*?)(\/?)>([^<]*)/g,
  )) {
    if (close) open.pop()
    else {
      const node: SvgNode = {
        tag: tag!,
        attributes: parseAttributes(attributes!),
        children: [],
        text: decodeEntities(text!),
      }
      open.at(-1)!.children.push(node)
      if (!empty) open.push(node)
    }
  }
  return top.children[0]!
}

const parseAttributes = (text: string): SvgAttributes =>
  Object.fromEntries(
    [...text.matchAll(/([\w:-]+)="([^"]*)"/g)].map(([, name, value]) => [name!, value!]),
  )

const decodeEntities = (text: string): string =>
  text.replace(
    /&(lt|gt|quot|amp|#39);/g,
    (_, name: string) => ({ lt: '<', gt: '>', quot: '"', amp: '&' })[name] ?? "'",
  )

const descendants = (node: SvgNode): SvgNode[] => [node, ...node.children.flatMap(descendants)]

const parseNumber = (text: string | undefined, otherwise = 0): number =>
  text === undefined ? otherwise : parseFloat(text)

const inheritedAttributes = [
  ...['fill', 'stroke', 'fill-opacity', 'stroke-opacity', 'stroke-width'],
  ...['font-size', 'font-weight', 'text-anchor'],
]

function drawNode(canvas: PdfCanvas, node: SvgNode, above: SvgAttributes): void {
  const { doc } = canvas
  const { tag, attributes } = node
  if (tag === 'defs' || tag === 'title') return
  const style = {
    ...Object.fromEntries(
      Object.entries(above).filter(([name]) => inheritedAttributes.includes(name)),
    ),
    ...attributes,
  }
  doc.save()
  applyTransform(doc, attributes['transform'] ?? '')
  applyClip(canvas, attributes['clip-path'])
  if (tag === 'g') for (const child of node.children) drawNode(canvas, child, style)
  else if (tag === 'text') drawText(doc, node, style)
  else paintNode(canvas, node, style)
  doc.restore()
}

function applyTransform(doc: PdfDocument, transform: string): void {
  for (const [, name, values] of transform.matchAll(/(\w+)\(([^)]*)\)/g)) {
    const [a = 0, b = 0] = values!.split(/[ ,]+/).map(Number)
    if (name === 'translate') doc.translate(a, b)
    else if (name === 'rotate') doc.rotate(a)
    else if (name === 'scale') doc.scale(a, b || a)
  }
}

function applyClip({ doc, nodesById }: PdfCanvas, reference: string | undefined): void {
  const shape = nodesById.get(idIn(reference))?.children[0]
  if (shape && layPath(doc, shape.tag, shape.attributes)) doc.clip()
}

const idIn = (reference = ''): string => /url\(#([^)]*)\)/.exec(reference)?.[1] ?? '-'

/** Lays the element's path; false where it has none. */
function layPath(doc: PdfDocument, tag: string, at: SvgAttributes): boolean {
  const [x, y, width, height] = ['x', 'y', 'width', 'height'].map(name =>
    parseNumber(at[name]),
  ) as RectangleBounds
  if (tag === 'path' && at['d']) doc.path(at['d'])
  else if (tag === 'rect' && at['width'] === '100%')
    doc.rect(0, 0, doc.page.width / pointsPerPixel, doc.page.height / pointsPerPixel)
  else if (tag === 'rect') doc.rect(x, y, width, height)
  else if (tag === 'circle')
    doc.circle(parseNumber(at['cx']), parseNumber(at['cy']), parseNumber(at['r']))
  else if (tag === 'line')
    doc
      .moveTo(parseNumber(at['x1']), parseNumber(at['y1']))
      .lineTo(parseNumber(at['x2']), parseNumber(at['y2']))
  else return false
  return true
}

type RectangleBounds = [number, number, number, number]
type Paint = string | [number, number, number] | PDFKit.PDFGradient

/** A path that nothing paints must not be laid: the next one would carry it along. */
function paintNode(
  canvas: PdfCanvas,
  { tag, attributes: own }: SvgNode,
  style: SvgAttributes,
): void {
  const { doc } = canvas
  const isHatched = canvas.nodesById.get(idIn(style['fill']))?.tag === 'pattern'
  if (isHatched) hatchPath(doc, tag, own)
  const fill = isHatched ? null : resolvePaint(canvas, style['fill'], own)
  const stroke = resolvePaint(canvas, style['stroke'], own)
  if ((!fill && !stroke) || !layPath(doc, tag, own)) return
  const all = parseNumber(own['opacity'], 1)
  doc
    .fillOpacity(all * parseNumber(style['fill-opacity'], 1))
    .strokeOpacity(all * parseNumber(style['stroke-opacity'], 1))
  doc.lineWidth(parseNumber(style['stroke-width'], 1))
  const dash = own['stroke-dasharray']?.split(/[ ,]+/).map(Number)
  if (dash) doc.dash(dash[0]!, { space: dash[1] ?? dash[0]! })
  if (fill && stroke) doc.fillAndStroke(fill, stroke)
  else if (fill) doc.fill(fill)
  else doc.stroke(stroke!)
}

/** Points between two lines of a hatching. */
const hatchStep = 5

/** Draws thin diagonal lines over an element's area. */
function hatchPath(doc: PdfDocument, tag: string, attributes: SvgAttributes): void {
  const [width, height] = [doc.page.width / pointsPerPixel, doc.page.height / pointsPerPixel]
  doc.save()
  if (layPath(doc, tag, attributes)) {
    doc.clip()
    for (let x = -width - height; x < 2 * width; x += hatchStep)
      doc.moveTo(x, 2 * height).lineTo(x + 3 * height, -height)
    doc.lineWidth(0.6).strokeOpacity(1).stroke('#1f2328')
  }
  doc.restore()
}

function resolvePaint(
  canvas: PdfCanvas,
  value: string | undefined,
  box: SvgAttributes,
): Paint | null {
  if (value === undefined || value === 'none' || value === 'transparent') return null
  const rgb = /^rgb\(([\d.]+), ?([\d.]+), ?([\d.]+)\)$/.exec(value)?.slice(1).map(Number)
  if (rgb) return rgb as [number, number, number]
  const gradient = canvas.nodesById.get(idIn(value))
  if (!gradient) return value
  const [x, width] = horizontalExtent(box)
  const made = canvas.doc.linearGradient(x, 0, x + width, 0)
  for (const { attributes } of gradient.children) {
    const stop = resolvePaint(canvas, attributes['stop-color'], {})
    made.stop(parseNumber(attributes['offset']), stop as string)
  }
  return made
}

/** Left end and width of a rectangle, or of the path that Vega draws for one (`M0,0h200v9h-200Z`). */
function horizontalExtent(at: SvgAttributes): [number, number] {
  const path = /^M([\d.-]+),[\d.-]+h([\d.]+)/.exec(at['d'] ?? '')
  return path
    ? [Number(path[1]), Number(path[2])]
    : [parseNumber(at['x']), parseNumber(at['width'])]
}

function drawText(doc: PdfDocument, { text, children }: SvgNode, style: SvgAttributes): void {
  doc
    .font(style['font-weight'] === 'bold' ? 'bold' : 'regular')
    .fontSize(parseNumber(style['font-size'], 11))
  const opacity = parseNumber(style['opacity'], 1) * parseNumber(style['fill-opacity'], 1)
  doc.fillColor(style['fill'] ?? 'black').fillOpacity(opacity)
  const anchor = { middle: 0.5, end: 1 }[style['text-anchor'] ?? ''] ?? 0
  let y = 0
  for (const line of children.length === 0
    ? [{ text, attributes: {} as SvgAttributes }]
    : children) {
    y += parseNumber(line.attributes['dy'])
    if (line.text === '') continue
    doc.text(line.text, -anchor * doc.widthOfString(line.text), y, {
      lineBreak: false,
      baseline: 'alphabetic',
    })
  }
}
