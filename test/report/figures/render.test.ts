import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { fitText, textWidthPx, wrapText } from '../../../src/report/figures/fonts.ts'
import { hasAllGlyphs } from '../../../src/report/figures/measure.ts'
import { makeFigures, wideWidthPx } from '../../../src/report/figures/index.ts'
import { renderPng } from '../../../src/report/figures/png.ts'
import { printColors, renderSvg } from '../../../src/report/figures/render.ts'
import { worlds } from './world.ts'

async function ink(png: Uint8Array): Promise<number> {
  const { data } = await sharp(png).greyscale().raw().toBuffer({ resolveWithObject: true })
  return data.reduce((sum, value) => sum + (value < 128 ? 1 : 0), 0)
}

const word = (text: string): Promise<string> =>
  renderSvg({
    width: 200,
    height: 60,
    data: { values: [{ text }] },
    mark: { type: 'text', fontSize: 30 },
    encoding: { text: { field: 'text' } },
  })

describe('PNG', () => {
  it('has the ink of its text', async () => {
    const [figure] = makeFigures(worlds['few']!(), 'regions')
    const svg = await renderSvg(figure!.spec(wideWidthPx))
    const drawn = await ink(await renderPng(svg))
    const without = await ink(await renderPng(svg.replace(/<text.*?<\/text>/g, '')))
    expect(drawn - without).toBeGreaterThan(1000)
  })

  it.each(['Europe', 'Ελλάδα', 'Україна', 'مصر', 'Հայաստան', 'საქართველო', "Côte d'Ivoire"])(
    'draws %s',
    async text => {
      expect(hasAllGlyphs(text)).toBe(true)
      expect(await ink(await renderPng(await word(text), 1))).toBeGreaterThan(150)
    },
  )

  it('knows which scripts its own fonts lack', () => {
    expect(hasAllGlyphs('中国')).toBe(false)
    expect(hasAllGlyphs('भारत')).toBe(false)
  })

  it('has the size asked for', async () => {
    const svg = await renderSvg({ width: 100, height: 50, data: { values: [] }, mark: 'point' })
    const [width] = /width="(\d+)"/.exec(svg)!.slice(1).map(Number)
    expect((await sharp(await renderPng(svg, 3)).metadata()).width).toBe(3 * width!)
  })
})

describe('SVG', () => {
  it('follows the page’s colour, and a file has its own', async () => {
    const spec = {
      width: 100,
      height: 50,
      data: { values: [{ a: 1 }] },
      mark: 'point',
      encoding: { x: { field: 'a', type: 'quantitative' } },
    } as const
    expect(await renderSvg(spec)).toContain('currentColor')
    const file = await renderSvg(spec, printColors)
    expect(file).not.toContain('currentColor')
    expect(file).toContain(printColors.paper)
  })

  it('refuses to load anything', async () => {
    await expect(
      renderSvg({ data: { url: 'https://example.org/a.json' }, mark: 'point' }),
    ).rejects.toThrow('it asks for https://example.org/a.json')
  })

  it('refuses a specification that Vega-Lite would only warn about', async () => {
    const encoding = {
      x: { field: 'a', type: 'quantitative', stack: 'zero' },
      size: { field: 'a', type: 'nominal' },
    } as const
    await expect(
      renderSvg({ data: { values: [{ a: 1 }] }, mark: 'point', encoding }),
    ).rejects.toThrow('figure cannot be drawn: Channel size')
  })

  it('draws where compiling a function from text is forbidden', async () => {
    const real = globalThis.Function
    let svg = ''
    try {
      globalThis.Function = (() => {
        throw new Error('compiled a function')
      }) as unknown as FunctionConstructor
      svg = await word('calm')
    } finally {
      globalThis.Function = real
    }
    expect(svg).toContain('calm')
  })

  it('gives marks a tooltip and drops what draws nothing', async () => {
    const [figure] = makeFigures(worlds['few']!(), 'regions')
    const svg = await renderSvg(figure!.spec(wideWidthPx))
    expect(svg).toMatch(
      /<circle [^>]*><title>efficientnet_b0, Europe: \d+\.\d %, 95 % interval [\d.]+ to [\d.]+, n = \d+<\/title>/,
    )
    expect(svg).not.toMatch(/aria-|role=|pointer-events/)
  })
})

describe('text', () => {
  it('is as wide as its glyphs', () => {
    expect(textWidthPx('iiii', 10)).toBeLessThan(textWidthPx('mmmm', 10) / 2)
    expect(textWidthPx('Europe', 22)).toBeCloseTo(2 * textWidthPx('Europe', 11), 6)
    expect(textWidthPx('Europe', 11, true)).toBeGreaterThan(textWidthPx('Europe', 11))
  })

  it('is cut or wrapped to a width', () => {
    expect(fitText('resnet50', 1000, { size: 11 })).toBe('resnet50')
    const cut = fitText('a name that is far too long', 60, { size: 11 })
    expect(cut.endsWith('…')).toBe(true)
    expect(textWidthPx(cut, 11)).toBeLessThanOrEqual(60)
    expect(wrapText('one two three', textWidthPx('one two', 11) + 1, { size: 11 })).toEqual([
      'one two',
      'three',
    ])
  })
})
