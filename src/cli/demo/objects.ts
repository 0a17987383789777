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
const forms = {
  house: [
    'main rect -30 -5 60 45; second polygon -38,-5 0,-42 38,-5; dark rect -8 12 16 28',
    'main rect -40 -18 80 58; second rect -44 -24 88 7; dark rect 14 8 16 32; dark rect -28 -4 22 14',
    'second polygon -44,0 0,-44 44,0; main ellipse 0 20 32 24; dark rect -7 8 14 34 7',
  ],
  stove: [
    'main rect -32 -30 64 66 4; dark circle -14 -16 8; dark circle 14 -16 8; second rect -22 4 44 24 3',
    'main rect -42 -4 84 14 4; dark circle -20 -8 13; dark circle 20 -8 13; second line 0 10 0 38 6',
    'dark circle -26 24 14; dark circle 26 24 14; dark circle 0 30 14; second polygon -12,18 0,-34 12,18; main rect -26 -6 52 10 5',
  ],
  chair: [
    'main rect -24 -40 8 80; second rect -24 0 48 9; main rect 16 0 8 40',
    'second rect -34 -4 68 22 10; main rect -38 -22 76 20 8; dark rect -30 18 8 12; dark rect 22 18 8 12',
    'second ellipse 0 -2 30 9; main line -20 2 -30 36 6; main line 20 2 30 36 6; main line 0 4 0 38 6',
  ],
  cup: [
    'main rect -22 -26 40 52 6; second arc 7 M18,-14 C44,-14 44,16 18,16',
    'main polygon -32,-18 32,-18 18,24 -18,24; second rect -12 24 24 6',
    'main area M-34,-10 A34,34 0 0 0 34,-10 Z; second line -34 -10 34 -10 5',
  ],
  bed: [
    'main rect -42 0 84 22 4; dark rect -44 -28 8 64; dark rect 36 -8 8 44; second rect -34 -12 26 13 5',
    'main rect -44 16 88 12 5; second rect -38 4 30 12 6; dark rect -6 9 46 9 4',
    'main arc 12 M-42,-24 Q0,44 42,-24; dark line -44 -34 -44 38 6; dark line 44 -34 44 38 6',
  ],
  lamp: [
    'second polygon -28,-6 -14,-40 14,-40 28,-6; dark rect -3 -6 6 38; main rect -20 32 40 7 3',
    'dark line 0 -46 0 -12 4; second circle 0 8 20; main rect -7 -16 14 10',
    'main rect -16 6 32 30 8; second rect -10 -24 20 30 9; dark arc 4 M-18,8 C-34,-48 34,-48 18,8',
  ],
  broom: [
    'dark line 22 -44 -6 12 6; second polygon -22,8 8,22 -8,44 -38,28; main line -22 8 8 22 5',
    'dark line 0 -44 0 16 6; main rect -30 16 60 9 2; second rect -28 25 56 15',
    'second polygon -5,-40 5,-40 26,42 -26,42; main rect -9 -22 18 7; dark line -8 10 8 10 4',
  ],
  door: [
    'main rect -22 -42 44 84 2; second rect -14 -34 28 26; dark circle 14 6 4',
    'main rect -38 -40 36 80; main rect 2 -40 36 80; second rect -32 -30 24 60; second rect 8 -30 24 60',
    'dark arc 9 M-30,42 L-30,-10 A30,30 0 0 1 30,-10 L30,42; second line -15 -28 -15 40 5; second line -5 -28 -5 40 5; second line 5 -28 5 40 5; second line 15 -28 15 40 5',
  ],
} as const

export type ObjectName = keyof typeof forms

export const objectNames = Object.keys(forms) as ObjectName[]

/** Returns one form of an object as SVG elements. */
export const objectSvg = (name: ObjectName, form: 0 | 1 | 2, ink: Ink): string =>
  forms[name][form]
    .split('; ')
    .map(shape => {
      const [part, element, ...numbers] = shape.split(' ')
      return elements[element!]!(numbers, ink[part as keyof Ink])
    })
    .join('')
