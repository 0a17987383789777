/**
 * Writes the thumbnails of docs/reference/figures.md, one PNG a figure, from made-up results: `npm run docs:figures`. A test compares
 * the drawings' hashes with those kept beside them.
 */
import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { figureKinds, drawFigures, titledSpec, wideWidthPx } from '../src/report/figures/index.ts'
import { renderPng } from '../src/report/figures/png.ts'
import { printColors, renderSvg } from '../src/report/figures/render.ts'
import { runView } from '../src/analysis/runView.ts'
import { worlds } from '../test/report/figures/world.ts'

export const folder = new URL('../docs/figures/', import.meta.url)

const thumbnailWidth = 400

/** How sharp writes the small pictures of the pages. */
export const pagePng = { palette: true, colours: 64, effort: 10 }

/** The first drawing of every kind, by name. */
export async function drawings(): Promise<Map<string, string>> {
  const results = runView(worlds['catalogue']!())
  const drawn = new Map<string, string>()
  for (const kind of figureKinds) {
    const [figure] = drawFigures(kind, results)
    drawn.set(kind.name, await renderSvg(titledSpec(figure!, wideWidthPx), printColors))
  }
  return drawn
}

export const hashOf = (svg: string): string => createHash('sha256').update(svg).digest('hex')

async function main(): Promise<void> {
  await mkdir(folder, { recursive: true })
  const drawn = await drawings()
  for (const [name, svg] of drawn) {
    const small = sharp(await renderPng(svg)).resize({ width: thumbnailWidth })
    await writeFile(new URL(`${name}.png`, folder), await small.png(pagePng).toBuffer())
  }
  const hashes = Object.fromEntries([...drawn].map(([name, svg]) => [name, hashOf(svg)]))
  await writeFile(new URL('drawings.json', folder), `${JSON.stringify(hashes, null, 2)}\n`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
