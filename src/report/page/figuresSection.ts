import type { TopLevelSpec } from 'vega-lite'
import {
  type Figure,
  figureKinds,
  drawFigures,
  narrowWidthPx,
  wideWidthPx,
} from '../figures/index.ts'
import { renderSvg } from '../figures/render.ts'
import { type RunView } from '../../analysis/runView.ts'
import { csvDownload } from './htmlTable.ts'
import { markup, type Markup, trustMarkup } from './markup.ts'

/** Every figure that the results allow, drawn for a wide and a narrow page, with its data as a download. */
export async function figuresSection(results: RunView): Promise<Markup> {
  const drawn: Markup[] = []
  for (const kind of figureKinds)
    for (const figure of drawFigures(kind, results)) drawn.push(await figureMarkup(figure))
  if (drawn.length === 0) return markup`<p>The results are too few for a figure.</p>`
  return markup`${drawn}`
}

async function figureMarkup(figure: Figure): Promise<Markup> {
  const { id, title, subtitle, caption, rows } = figure
  const names = [...new Set(rows.flatMap(row => Object.keys(row)))]
  const columns = names.map(name => ({
    name,
    heading: name,
    value: (row: (typeof rows)[number]) => row[name] ?? null,
  }))
  return markup`<figure id="${id}">
    <h3>${title}</h3>
    <p class="facts">${subtitle}</p>
    ${await drawingsMarkup(figure)}
    <figcaption>${caption}</figcaption>
    <div class="tools">${csvDownload(id, columns, rows)}</div>
  </figure> `
}

/** Panels of their own wrap to the width of the page; anything else is drawn once per width. */
async function drawingsMarkup(figure: Figure): Promise<Markup> {
  const parts = separatePanels(figure.spec(wideWidthPx))
    ? separatePanels({ ...figure.spec(narrowWidthPx), columns: 2 })
    : undefined
  if (parts) {
    const panels: Markup[] = []
    for (const [i, part] of parts.entries()) {
      panels.push(
        await drawingMarkup(part, `${figure.title}, ${panelTitle(part)}`, `${figure.id}-${i + 1}`),
      )
    }
    return markup`<div class="drawing panels">${panels}</div> `
  }
  return markup`<div class="drawing wide">${await drawingMarkup(figure.spec(wideWidthPx), figure.title, `${figure.id}-wide`)}</div>
    <div class="drawing narrow">${await drawingMarkup(figure.spec(narrowWidthPx), figure.title, `${figure.id}-narrow`)}</div> `
}

function panelTitle({ title }: TopLevelSpec): string {
  const text = typeof title === 'object' && 'text' in title ? title.text : title
  return [text]
    .flat()
    .filter(part => typeof part === 'string')
    .join(' ')
}

function separatePanels(spec: TopLevelSpec): TopLevelSpec[] | undefined {
  if (!('concat' in spec) || (spec.columns ?? 1) < 2) return undefined
  return spec.concat.map(panel => panel as TopLevelSpec)
}

async function drawingMarkup(spec: TopLevelSpec, label: string, id: string): Promise<Markup> {
  const svg = await renderSvg(spec)
  const attributes = markup`<svg role="img" aria-label="${label}"`
  return trustMarkup(withIds(svg, id).replace('<svg', () => attributes.markup))
}

/** Clip paths are named from 1 in every drawing; on one page each needs a name of its own. */
const withIds = (svg: string, id: string): string =>
  svg.replace(/<[^>]*>/g, tag => tag.replace(/( id="|url\(#)/g, `$1${id}-`))
