/** Figures of the report in the page. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { darkFiguresCss } from '../../report/page/style.ts'
import { type Drawing } from './drawings.ts'
import { escapeHtml, withUnbrokenSpaces } from '../../lib/table/text.ts'
import { saveFile } from './parts.tsx'
import { askWorker } from './askWorker.ts'

interface FigureProps {
  label: string
  caption: string
  /** Identifies the drawing, which is drawn again when this changes. */
  id: string
  drawing: (width: number) => Drawing
  /** Beginning of the description of the mark that is chosen, which is drawn with a strong outline. */
  chosen?: string | undefined
  /** Called with a mark's description when it is clicked. */
  onPick?: (about: string) => void
}

const widthStepPx = 40

/** 170 mm, the width of a page's text, where the letters are of 8 points. */
const paperWidthPx = 642

const darkStyleSheet = new CSSStyleSheet()
darkStyleSheet.replaceSync(darkFiguresCss)
document.adoptedStyleSheets.push(darkStyleSheet)

export function Figure({ label, caption, id, drawing, chosen, onPick }: FigureProps) {
  const place = useRef<HTMLDivElement>(null)
  const width = useWidth(place)
  const [drawn, setDrawn] = useState(0)
  useEffect(() => {
    if (width === 0) return
    let isCurrent = true
    place.current!.ariaBusy = 'true'
    const show = (content: string): void => {
      if (!isCurrent || !place.current) return
      Object.assign(place.current, { innerHTML: content, ariaBusy: 'false' })
      setDrawn(count => count + 1)
    }
    askWorker<string>({ drawing: drawing(width), isForPaper: false }).then(show, (error: unknown) =>
      show(escapeHtml((error as Error).message)),
    )
    return () => void (isCurrent = false)
  }, [id, width])
  useEffect(() => markChosen(place.current!, chosen), [chosen, drawn])
  const pick = ({ target }: MouseEvent): void => {
    const about = titleOf((target as Element).closest('svg *'))
    if (about !== undefined) onPick?.(about)
  }
  const save = async (): Promise<void> => {
    const svg = await askWorker<string>({ drawing: drawing(paperWidthPx), isForPaper: true })
    saveFile(
      `${label
        .split(/[;(]/)[0]!
        .trim()
        .replace(/[^\p{L}\p{N}.]+/gu, '-')}.svg`,
      svg,
    )
  }
  return (
    <figure>
      <div
        ref={place}
        role="img"
        aria-label={label}
        class={onPick ? 'drawing picks' : 'drawing'}
        onClick={pick}
      />
      <figcaption>
        {withUnbrokenSpaces(caption)}{' '}
        <button type="button" onClick={() => void save()}>
          Save for a paper
        </button>
      </figcaption>
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

/** Returns the description of a mark, which is its tooltip. */
const titleOf = (mark: Element | null): string | undefined =>
  mark?.querySelector(':scope > title')?.textContent

/** Sets the class of the mark whose description begins so. */
function markChosen(place: Element, chosen: string | undefined): void {
  for (const { parentElement, textContent } of place.querySelectorAll('svg :not(svg) > title'))
    parentElement!.classList.toggle(
      'chosen',
      chosen !== undefined && textContent.startsWith(chosen),
    )
}
