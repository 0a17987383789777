/** From a Vega-Lite specification to SVG, in Node and in browsers; Vega is loaded when the first figure is drawn. */
import type { TopLevelSpec } from 'vega-lite'
import { type GeogapError, internalError } from '../../lib/errors.ts'
import { fontFamily, textWidthPx } from './measure.ts'
import { fontSizePx, withHatch, withThemeConfig } from './theme.ts'
import { stripControlCharacters } from '../../lib/table/text.ts'

/** Text and axes as `currentColor` for a page, or in `ink` on `paper` for a file of its own. */
export interface FigureColors {
  ink: string
  paper: string
}

export const printColors: FigureColors = { ink: '#1f2328', paper: '#ffffff' }

/**
 * Draws a specification as SVG. Nothing is loaded and no function is compiled: Vega's expressions are interpreted.
 * Descriptions of marks become tooltips (`<title>`). Errors: bad-figure.
 */
export async function renderSvg(spec: TopLevelSpec, colors?: FigureColors): Promise<string> {
  const { vega, compile, expressionInterpreter } = await loadVega()
  const { complaints, logger } = collectComplaints()
  vega.resetSVGDefIds()
  const { spec: compiled } = compile(withThemeConfig(spec), { logger })
  const view = new vega.View(vega.parse(compiled, {}, { ast: true }), {
    expr: expressionInterpreter,
    loader: closedLoader,
    renderer: 'none',
    logger,
  })
  try {
    const svg = slimSvg(await view.toSVG()).replace(/[^\n]+/g, stripControlCharacters)
    if (complaints.length > 0) throw figureError(complaints.join('; '))
    const whole = withHatch(svg)
    return colors ? withColors(whole, colors) : whole
  } finally {
    view.finalize()
  }
}

/** Returns a figure with the colours of a file of its own. */
export const withColors = (svg: string, { ink, paper }: FigureColors): string =>
  svg
    .replaceAll('currentColor', ink)
    .replace(/<svg[^>]*>/, tag => `${tag}<rect width="100%" height="100%" fill="${paper}"/>`)

const emptyParts = /<path class="(?:back|fore)ground"[^>]*? d="(?:M0,0h0v0h0Z)?"[^>]*>/g
const idleAttributes =
  / (?:aria-hidden|pointer-events|class|role|aria-roledescription)="[^"]*"| opacity="1"| transform="translate\(0,0\)"/g
/** What most texts share is said once, on the root. */
const commonAttributes = ` font-family="${fontFamily}" font-size="${fontSizePx}px"`

/** Vega draws a disc as a path of two arcs. */
const discPath =
  /<path transform="translate\(([^,"]*),([^)"]*)\)" d="M([^,"]*),0A[^"]*" fill="([^"]*)" stroke-width="2"([^>/]*)(?:\/>|>(<title>[^<]*<\/title>)<\/path>)/g
const guideLabel = /<g([^>]*) aria-label="[^"]*"/g
/** Attributes whose numbers are pixels. */
const pixelAttributes = / (?:d|transform|[xy][12]?|width|height|viewBox)="[^"]*"/g
const longNumber = /-?\d+\.\d{2,}/g
const ariaLabel = / aria-label="([^"]*)"/
const describedMark = /<(path|rect|text)( [^>]*?)(?:\/>|><\/\1>)/g

/** Without the attributes that draw nothing, and with descriptions as tooltips. */
const slimSvg = (svg: string): string =>
  svg
    .replace(emptyParts, '')
    .replace(describedMark, (whole, tag: string, attributes: string) => {
      const text = ariaLabel.exec(attributes)?.[1]
      return text === undefined
        ? whole
        : `<${tag}${attributes.replace(ariaLabel, '')}><title>${text}</title></${tag}>`
    })
    .replace(guideLabel, '<g$1')
    .replace(/<[a-z][^>]*>/g, tag =>
      tag
        .replace(idleAttributes, '')
        .replace(pixelAttributes, part =>
          part.replace(longNumber, number => String(roundToTenths(number))),
        ),
    )
    .replaceAll(` font-family="${fontFamily}"`, '')
    .replaceAll(` font-size="${fontSizePx}px"`, '')
    .replace('<svg', `<svg${commonAttributes}`)
    .replace(/ d="(M[^"]*)"/g, (_, path: string) => ` d="${relativePath(path)}"`)
    .replace(discPath, '<circle cx="$1" cy="$2" r="$3" fill="$4"$5>$6</circle>')
    .replace(markGroup, (_, children: string) => hoistAttributes(children))

/** A group of marks of one kind. */
const markGroup =
  /<g>((?:<(path|circle|line|rect|text)\b[^>]*(?:\/>|>[^<]*(?:<title>[^<]*<\/title>)?<\/\2>)){2,})<\/g>/g
const inheritableAttributes =
  / (?:fill|stroke|fill-opacity|stroke-opacity|stroke-width|text-anchor|font-size|font-weight)="[^"]*"/g

/** Marks with what all of them share said once, on their group. */
function hoistAttributes(children: string): string {
  const tags = [...children.matchAll(/<(?:path|circle|line|rect|text)\b[^>]*>/g)].map(
    ([tag]) => tag,
  )
  const shared = (tags[0]!.match(inheritableAttributes) ?? []).filter(one =>
    tags.every(tag => tag.includes(one)),
  )
  const bare = shared.reduce((text, one) => text.replaceAll(one, ''), children)
  return `<g${shared.join('')}>${bare}</g>`
}

/** Points of an outline that are nearer to the one before than this, in tenths of a pixel along both axes, are left out. */
const minStepTenthsPx = 6

/** Long straight runs of a path, as outlines of countries are, as steps from point to point, which are shorter to write. */
const relativePath = (path: string): string =>
  path.replace(
    /M([-\d.]+),([-\d.]+)((?:L[-\d.]+,[-\d.]+){4,})/g,
    (_, ...[x, y, rest]: [x: string, y: string, rest: string]) => {
      let [atX, atY] = [toTenths(x), toTenths(y)]
      const points = rest.slice(1).split('L')
      const steps = points.flatMap((point, i) => {
        const [toX = 0, toY = 0] = point.split(',').map(toTenths)
        const [dx, dy] = [toX - atX, toY - atY]
        if (Math.abs(dx) + Math.abs(dy) < minStepTenthsPx && i < points.length - 1) return []
        ;[atX, atY] = [toX, toY]
        return `${dx / 10},${dy / 10}`
      })
      return `M${x},${y}l${steps.join(' ')}`
    },
  )

const toTenths = (number: string): number => Math.round(10 * Number(number))

const roundToTenths = (number: string): number => Math.round(10 * Number(number)) / 10

const figureError = (text: string): GeogapError =>
  internalError('bad-figure', `figure cannot be drawn: ${text.replace(/\s+/g, ' ')}`)

/** A warning is a fault of the figure too: something in it would not be drawn as meant. */
function collectComplaints() {
  const complaints: string[] = []
  const complain = (...args: readonly unknown[]) => {
    complaints.push(args.map(String).join(' '))
    return logger
  }
  const ignore = () => logger
  const logger = { level: ignore, warn: complain, error: complain, info: ignore, debug: ignore }
  return { complaints, logger }
}

const refuseLoading = (uri: string): Promise<never> =>
  Promise.reject(new Error(`it asks for ${uri}, but figures carry their data`))
const closedLoader = {
  load: refuseLoading,
  sanitize: refuseLoading,
  http: refuseLoading,
  file: refuseLoading,
}

type VegaTextItem = Record<'fontSize' | 'fontWeight' | 'text' | 'limit', unknown>

interface TextMetrics {
  width: (item: VegaTextItem, text: unknown) => number
}

async function loadVega() {
  const [vega, { compile }, { expressionInterpreter }] = await Promise.all([
    import('vega'),
    import('vega-lite'),
    import('vega-interpreter'),
  ])
  const { textMetrics } = vega as unknown as { textMetrics: TextMetrics }
  textMetrics.width = ({ fontSize = 11, fontWeight }, text) =>
    text === null || text === undefined
      ? 0
      : textWidthPx(`${text as string | number}`, Number(fontSize), isBold(fontWeight))
  return { vega, compile, expressionInterpreter }
}

const isBold = (weight: unknown): boolean => weight === 'bold' || Number(weight) >= 600
