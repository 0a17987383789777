/*
 * Text is measured and drawn with fonts that come with the package, so that a figure looks the same on every machine,
 * one without any font included. TrueType tables read here: head (units), hhea and hmtx (advance widths), cmap format 12
 * (which character is which glyph).
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { memoize } from '../../lib/memoize.ts'

export const fontFamily = 'DejaVu Sans'

const fontPath = (name: string): string =>
  createRequire(import.meta.url).resolve(`dejavu-fonts-ttf/ttf/${name}.ttf`)

/** TrueType files of the family, for renderers that load fonts. */
export const fontFiles = (): string[] => [fontPath('DejaVuSans'), fontPath('DejaVuSans-Bold')]

interface FontFace {
  unitsPerEm: number
  /** Advance width of a glyph in font units. */
  advance: (glyph: number) => number
  /** Glyph of a code point; 0 where the font has none. */
  glyph: (codePoint: number) => number
}

const fontFace = memoize((bold: boolean) =>
  readFontFace(readFileSync(fontPath(bold ? 'DejaVuSans-Bold' : 'DejaVuSans'))),
)

/** Width of one line of text in pixels at `size` pixels. */
export function textWidthPx(text: string, size: number, bold = false): number {
  const { unitsPerEm, advance, glyph } = fontFace(bold)
  let units = 0
  for (const character of text) units += advance(glyph(character.codePointAt(0)!))
  return (units * size) / unitsPerEm
}

/** Whether the fonts have every character of `text`. */
export function hasAllGlyphs(text: string): boolean {
  const { glyph } = fontFace(false)
  return Array.from(text).every(
    character => character < ' ' || glyph(character.codePointAt(0)!) !== 0,
  )
}

function readFontFace(file: Buffer): FontFace {
  const tables = new Map<string, number>()
  for (let i = 0; i < file.readUInt16BE(4); i++) {
    const entry = 12 + 16 * i
    tables.set(file.toString('latin1', entry, entry + 4), file.readUInt32BE(entry + 8))
  }
  const [head, hhea, hmtx] = ['head', 'hhea', 'hmtx'].map(name => tables.get(name)!) as [
    number,
    number,
    number,
  ]
  const widths = file.readUInt16BE(hhea + 34)
  return {
    unitsPerEm: file.readUInt16BE(head + 18),
    advance: glyph => file.readUInt16BE(hmtx + 4 * Math.min(glyph, widths - 1)),
    glyph: glyphLookup(file, tables.get('cmap')!),
  }
}

/** Looks a code point up in the groups of the first format 12 subtable. */
function glyphLookup(file: Buffer, cmap: number): (codePoint: number) => number {
  const subtables = Array.from(
    { length: file.readUInt16BE(cmap + 2) },
    (_, i) => cmap + file.readUInt32BE(cmap + 8 + 8 * i),
  )
  const table = subtables.find(offset => file.readUInt16BE(offset) === 12)!
  const count = file.readUInt32BE(table + 12)
  return codePoint => {
    let [low, high] = [0, count - 1]
    while (low <= high) {
      const middle = (low + high) >> 1
      const group = table + 16 + 12 * middle
      if (codePoint < file.readUInt32BE(group)) high = middle - 1
      else if (codePoint > file.readUInt32BE(group + 4)) low = middle + 1
      else return file.readUInt32BE(group + 8) + codePoint - file.readUInt32BE(group)
    }
    return 0
  }
}
