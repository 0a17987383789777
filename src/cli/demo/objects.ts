import { readJson } from '../../lib/archive/json.ts'
/** Objects of a made-up world as small vector drawings in a box from -50 to 50. */

/** Colours of the three parts of an object. */
export type Ink = Record<'main' | 'second' | 'dark', string>

/** Functions from the numbers of a shape to its SVG element; the colour is the last argument. */
const elements: Readonly<Record<string, (numbers: readonly string[], color: string) => string>> = {
  rect: ([x, y, width, height, round = '0'], color) =>
    `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="${round}" fill="${color}"/>`,
  circle: ([x, y, r], color) => `<circle cx="${x}" cy="${y}" r="${r}" fill="${color}"/>`,
  ellipse: ([x, y, rx, ry], color) =>
    `<ellipse cx="${x}" cy="${y}" rx="${rx}" ry="${ry}" fill="${color}"/>`,
  polygon: (points, color) => `<polygon points="${points.join(' ')}" fill="${color}"/>`,
  area: (path, color) => `<path d="${path.join(' ')}" fill="${color}"/>`,
  line: ([x1, y1, x2, y2, width], color) =>
    `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${color}" stroke-width="${width}" stroke-linecap="round"/>`,
  arc: ([width, ...path], color) =>
    `<path d="${path.join(' ')}" fill="none" stroke="${color}" stroke-width="${width}" stroke-linecap="round"/>`,
}

/**
 * The shapes of each object's three forms: the one that the standard benchmark mostly shows, and two that other households
 * use for the same purpose. A shape is a part's colour, an element and its numbers.
 */
const forms = readJson(new URL('./objects.json', import.meta.url)) as Readonly<
  Record<string, readonly string[]>
>

export const objectNames = Object.keys(forms)

/** Returns one form of an object as SVG elements. */
export const objectSvg = (name: string, form: 0 | 1 | 2, ink: Ink): string =>
  forms[name]![form]!.split('; ')
    .map(shape => {
      const [part, element, ...numbers] = shape.split(' ')
      return elements[element!]!(numbers, ink[part as keyof Ink])
    })
    .join('')
