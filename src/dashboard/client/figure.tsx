/** Draws figures of the report in the page. Vega is loaded with the first figure. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { hatchFill, hatchPattern, withThemeConfig } from '../../report/figures/theme.ts'
import { darkFiguresCss } from '../../report/page/style.ts'
import { type TopLevelSpec } from '../../report/figures/vegaLite.ts'

interface FigureProps {
  label: string
  caption: string
  /** Identifies the drawing, which is drawn again when this changes. */
  id: string
  spec: (width: number) => TopLevelSpec | Promise<TopLevelSpec>
  /** Beginning of the description of the mark that is chosen, which is drawn with a strong outline. */
  chosen?: string | undefined
  /** Called with a mark's description when it is clicked. */
  onPick?: (about: string) => void
}

const widthStepPx = 40

const darkStyleSheet = new CSSStyleSheet()
darkStyleSheet.replaceSync(darkFiguresCss)
document.adoptedStyleSheets.push(darkStyleSheet)

export function Figure({ label, caption, id, spec, chosen, onPick }: FigureProps) {
  const place = useRef<HTMLDivElement>(null)
  const width = useWidth(place)
  const pick = useRef(onPick)
  pick.current = onPick
  useEffect(() => {
    const drawing =
      width === 0
        ? undefined
        : draw(
            place.current!,
            () => spec(width),
            about => pick.current?.(about),
          )
    void drawing?.then(() => setDrawn(count => count + 1))
    return () => void drawing?.then(finish => finish())
  }, [id, width])
  const [drawn, setDrawn] = useState(0)
  useEffect(() => markChosen(place.current!, chosen), [chosen, drawn])
  return (
    <figure>
      <div ref={place} role="img" aria-label={label} class={onPick ? 'drawing picks' : 'drawing'} />
      <figcaption>{caption}</figcaption>
    </figure>
  )
}

/** Returns the width of an element in steps of 40 px, so that a figure is not drawn again for every pixel. */
function useWidth(place: { current: HTMLElement | null }): number {
  const [width, setWidth] = useState(0)
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) =>
      setWidth(
        Math.min(1400, widthStepPx * Math.floor((entry?.contentRect.width ?? 0) / widthStepPx)),
      ),
    )
    observer.observe(place.current!)
    return () => observer.disconnect()
  }, [])
  return width
}

async function draw(
  place: HTMLElement,
  spec: () => TopLevelSpec | Promise<TopLevelSpec>,
  onPick: (about: string) => void,
): Promise<() => void> {
  const [{ View, parse }, { compile }, { expressionInterpreter }] = await Promise.all([
    import('vega'),
    import('vega-lite'),
    import('vega-interpreter'),
  ])
  const refuse = (): Promise<never> => Promise.reject(new Error('figures load nothing'))
  const view = new View(parse(compile(withThemeConfig(await spec())).spec, {}, { ast: true }), {
    expr: expressionInterpreter,
    renderer: 'svg',
    container: place,
    hover: false,
    loader: { load: refuse, sanitize: refuse, http: refuse, file: refuse },
  })
  view.addEventListener('click', (_, item) => {
    const about = aboutOf(item?.datum)
    if (about !== undefined) onPick(about)
  })
  await view.runAsync()
  const svg = place.querySelector('svg')
  if (svg?.innerHTML.includes(hatchFill)) svg.insertAdjacentHTML('afterbegin', hatchPattern)
  for (const part of place.querySelectorAll('svg, svg [role], svg [aria-label]'))
    moveLabelToTitle(part)
  return () => view.finalize()
}

/** Sets the class of the mark whose description begins so. */
function markChosen(place: Element, chosen: string | undefined): void {
  for (const title of place.querySelectorAll('svg path > title')) {
    const isChosen = chosen !== undefined && title.textContent.startsWith(chosen)
    title.parentElement!.classList.toggle('chosen', isChosen)
  }
}

/** Turns the label of a mark into its tooltip, because screen readers read the figure as one image. */
function moveLabelToTitle(part: Element): void {
  const about = part.getAttribute('aria-label')
  if (about !== null && part.localName === 'path') {
    part.append(
      Object.assign(document.createElementNS('http://www.w3.org/2000/svg', 'title'), {
        textContent: about,
      }),
    )
  }
  for (const name of ['role', 'aria-label', 'aria-roledescription']) part.removeAttribute(name)
}

/** Returns the description of a mark; for outlines of countries it is one of their properties. */
function aboutOf(datum: unknown): string | undefined {
  const { about, properties } = (datum ?? {}) as { about?: string; properties?: { about?: string } }
  return about ?? properties?.about
}
