import { inflateSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { figureKinds, titledSpec, wideWidthPx } from '../../../src/report/figures/index.ts'
import { renderPdf } from '../../../src/report/figures/pdf.ts'
import { printColors, renderSvg } from '../../../src/report/figures/render.ts'
import { type RunView, runView } from '../../../src/analysis/runView.ts'
import { worlds } from './world.ts'

const [few, catalogue] = ['few', 'catalogue'].map(name => runView(worlds[name]!())) as [
  RunView,
  RunView,
]

/** The page's drawing commands. */
function commands(pdf: Uint8Array): string {
  const text = Buffer.from(pdf).toString('latin1')
  const streams = [
    ...text.matchAll(/\/Filter \/FlateDecode\s*>>\s*stream\r?\n([^]*?)\r?\nendstream/g),
  ]
  const unpacked = streams.flatMap(([, bytes]) => {
    try {
      return inflateSync(Buffer.from(bytes!, 'latin1')).toString('latin1')
    } catch {
      return []
    }
  })
  return unpacked.find(stream => / Tf\n/.test(stream)) ?? ''
}

const countOf = (text: string, pattern: RegExp): number => [...text.matchAll(pattern)].length

describe('PDF', () => {
  it.each(figureKinds.map(kind => kind.name))(
    '%s has every text as text, clips and a page of its size',
    async name => {
      const kind = figureKinds.find(known => known.name === name)!
      const [figure] = [...kind.make(few, {}), ...kind.make(catalogue, {})]
      const svg = await renderSvg(titledSpec(figure!, wideWidthPx), printColors)
      const pdf = await renderPdf(svg, figure!.title)
      const drawn = commands(pdf)
      const lines = countOf(svg, /<(text|tspan)\b[^>]*>[^<]*[^<\s][^<]*</g)
      expect(countOf(drawn, /^BT$/gm)).toBe(lines)
      expect(countOf(drawn, /^W n$/gm)).toBe(countOf(svg, / clip-path=/g))
      // A pixel is three quarters of a point, so that text has 8.25 points.
      const [width, height] = [/ width="(\d+)"/, / height="(\d+)"/].map(
        pattern => 0.75 * Number(pattern.exec(svg)![1]),
      )
      expect(Buffer.from(pdf).toString('latin1')).toContain(`/MediaBox [0 0 ${width!} ${height!}]`)
    },
  )

  it('embeds its fonts', async () => {
    const [figure] = figureKinds[0]!.make(few, {})
    const pdf = Buffer.from(
      await renderPdf(await renderSvg(figure!.spec(wideWidthPx), printColors), 'a'),
    ).toString('latin1')
    expect(pdf).toMatch(/\/FontName \/\w+\+DejaVuSans/)
    expect(pdf).toContain('/FontFile2')
  })
})
