import type { TopLevelSpec } from 'vega-lite'
import { type Figure, figureKinds, narrowWidthPx } from '../figures/index.ts'
import { withUniqueIds } from '../figures/figure.ts'
import { renderSvg } from '../figures/render.ts'
import { type RunView } from '../../analysis/runView.ts'
import { countText } from '../../lib/table/text.ts'
import { csvDownload } from './htmlTable.ts'
import { folded, markup, type Markup, trustMarkup } from './markup.ts'

/** Width of a figure beside another one. */
const pageWidthPx = 560

/** Figures that a reader sees at once; the others are folded. */
const openKinds: readonly string[] = ['progress', 'regions', 'region-map', 'map']

/** Panels of a figure that a reader sees at once. */
const maxOpenPanels = 2

/** Every figure that the results allow, drawn for a wide and a narrow page, with its data as a download. */
export async function figuresSection(results: RunView): Promise<Markup> {
  const open: Markup[] = []
  const more: Markup[] = []
  // The page says once what is made up, so no caption does.
  const unnoted = { ...results, syntheticNote: null }
  for (const kind of figureKinds) {
    const list = openKinds.includes(kind.name) ? open : more
    for (const figure of withUniqueIds(kind.make(unnoted, {})))
      list.push(await figureMarkup(figure))
  }
  if (open.length + more.length === 0) return markup`<p>The results are too few for a figure.</p>`
  // Two figures stand side by side; none is folded beside an empty half.
  if (open.length + more.length <= 2) open.push(...more.splice(0))
  return markup`<div class="figures">${open}</div>
    ${more.length > 0 && folded(countText(more.length, 'more figure'), markup`<div class="figures">${more}</div>`)}`
}

async function figureMarkup(figure: Figure): Promise<Markup> {
  const { id, title, subtitle, caption, rows } = figure
  const names = [...new Set(rows.flatMap(row => Object.keys(row)))]
  const columns = names.map(name => ({
    name,
    heading: name,
    value: (row: (typeof rows)[number]) => row[name] ?? null,
  }))
  const isSpread = (separatePanels(figure.spec(pageWidthPx))?.panels.length ?? 1) > 1
  return markup`<figure id="${id}"${isSpread && markup` class="spread"`}>
    <h3>${title}</h3>
    <p class="facts">${subtitle}</p>
    ${await drawingsMarkup(figure)}
    <figcaption>${caption}</figcaption>
    <div class="tools">${csvDownload(id, columns, rows)}</div>
  </figure> `
}

/** Panels of their own wrap to the width of the page; anything else is drawn once per width. */
async function drawingsMarkup(figure: Figure): Promise<Markup> {
  const parts = separatePanels(figure.spec(pageWidthPx))
    ? separatePanels(withColumns(figure.spec(narrowWidthPx)))
    : undefined
  if (parts) {
    const drawn: Markup[] = []
    for (const [i, part] of [...parts.legend, ...parts.panels].entries())
      drawn.push(
        await drawingMarkup(
          part,
          [figure.title, panelTitle(part)].filter(Boolean).join(', '),
          `${figure.id}-${i + 1}`,
        ),
      )
    const panels = drawn.slice(parts.legend.length)
    const open = panels.length > maxOpenPanels + 1 ? maxOpenPanels : panels.length
    const more = panels.slice(open)
    return markup`${drawn.slice(0, parts.legend.length)}
    <div class="drawing panels">${panels.slice(0, open)}</div>
    ${more.length > 0 && folded(countText(more.length, 'more panel'), markup`<div class="drawing panels">${more}</div>`)} `
  }
  return markup`<div class="drawing wide">${await drawingMarkup(figure.spec(pageWidthPx), figure.title, `${figure.id}-wide`)}</div>
    <div class="drawing narrow">${withoutHints(await drawingMarkup(figure.spec(narrowWidthPx), figure.title, `${figure.id}-narrow`))}</div> `
}

/** Marks a drawing's panels as separate, which on a narrow page stand below each other. */
const withColumns = (spec: TopLevelSpec): TopLevelSpec =>
  'vconcat' in spec
    ? { ...spec, vconcat: spec.vconcat.map(part => ({ ...part, columns: 2 })) }
    : { ...spec, columns: 2 }

/** Leaves out the texts that appear under a pointer, which a phone does not have. */
const withoutHints = ({ markup }: Markup): Markup =>
  trustMarkup(markup.replace(/<title>[^<]*<\/title>/g, ''))

function panelTitle({ title }: TopLevelSpec): string {
  const text = typeof title === 'object' && 'text' in title ? title.text : title
  return [text]
    .flat()
    .filter(part => typeof part === 'string')
    .join(' ')
}

interface SeparateParts {
  /** One drawing or none. */
  legend: readonly TopLevelSpec[]
  panels: readonly TopLevelSpec[]
}

/** Returns the legend and the panels of a drawing that has several side by side. */
function separatePanels(spec: TopLevelSpec): SeparateParts | undefined {
  const parts = 'vconcat' in spec ? (spec.vconcat as TopLevelSpec[]) : [spec]
  const drawing = parts.at(-1)!
  if (!('concat' in drawing) || (drawing.columns ?? 1) < 2) return undefined
  return {
    legend: parts.slice(0, -1),
    panels: drawing.concat.map(panel => panel as TopLevelSpec),
  }
}

async function drawingMarkup(spec: TopLevelSpec, label: string, id: string): Promise<Markup> {
  const svg = await renderSvg(spec)
  const attributes = markup`<svg role="img" aria-label="${label}"`
  return trustMarkup(withIds(svg, id).replace('<svg', () => attributes.markup))
}

/** Clip paths are named from 1 in every drawing; on one page each needs a name of its own. */
const withIds = (svg: string, id: string): string =>
  svg.replace(/<[^>]*>/g, tag => tag.replace(/( id="|url\(#)/g, `$1${id}-`))
