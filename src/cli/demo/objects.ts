/*
 * Objects of a made-up world as small vector drawings in a box from -50 to 50. Every object has three forms: the one that
 * the standard benchmark mostly shows, and two that other households use for the same purpose.
 */
export interface Ink {
  main: string
  second: string
  dark: string
}

type Draw = (ink: Ink) => string

const rect = (x: number, y: number, w: number, h: number, fill: string, round = 0): string =>
  `<rect x="${x}" y="${y}" width="${w}" height="${h}" rx="${round}" fill="${fill}"/>`
const circle = (x: number, y: number, r: number, fill: string): string =>
  `<circle cx="${x}" cy="${y}" r="${r}" fill="${fill}"/>`
const polygon = (points: string, fill: string): string =>
  `<polygon points="${points}" fill="${fill}"/>`
const thickLine = (
  x1: number,
  y1: number,
  x2: number,
  y2: number,
  width: number,
  stroke: string,
): string =>
  `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${stroke}" stroke-width="${width}" stroke-linecap="round"/>`
const arc = (path: string, width: number, stroke: string): string =>
  `<path d="${path}" fill="none" stroke="${stroke}" stroke-width="${width}" stroke-linecap="round"/>`

/** Object -> [common form, second form, third form]. */
export const objects: Readonly<Record<string, readonly [Draw, Draw, Draw]>> = {
  house: [
    ink =>
      rect(-30, -5, 60, 45, ink.main) +
      polygon('-38,-5 0,-42 38,-5', ink.second) +
      rect(-8, 12, 16, 28, ink.dark),
    ink =>
      rect(-40, -18, 80, 58, ink.main) +
      rect(-44, -24, 88, 7, ink.second) +
      rect(14, 8, 16, 32, ink.dark) +
      rect(-28, -4, 22, 14, ink.dark),
    ink =>
      polygon('-44,0 0,-44 44,0', ink.second) +
      `<ellipse cx="0" cy="20" rx="32" ry="24" fill="${ink.main}"/>` +
      rect(-7, 8, 14, 34, ink.dark, 7),
  ],
  stove: [
    ink =>
      rect(-32, -30, 64, 66, ink.main, 4) +
      circle(-14, -16, 8, ink.dark) +
      circle(14, -16, 8, ink.dark) +
      rect(-22, 4, 44, 24, ink.second, 3),
    ink =>
      rect(-42, -4, 84, 14, ink.main, 4) +
      circle(-20, -8, 13, ink.dark) +
      circle(20, -8, 13, ink.dark) +
      thickLine(0, 10, 0, 38, 6, ink.second),
    ink =>
      circle(-26, 24, 14, ink.dark) +
      circle(26, 24, 14, ink.dark) +
      circle(0, 30, 14, ink.dark) +
      polygon('-12,18 0,-34 12,18', ink.second) +
      rect(-26, -6, 52, 10, ink.main, 5),
  ],
  chair: [
    ink =>
      rect(-24, -40, 8, 80, ink.main) +
      rect(-24, 0, 48, 9, ink.second) +
      rect(16, 0, 8, 40, ink.main),
    ink =>
      rect(-34, -4, 68, 22, ink.second, 10) +
      rect(-38, -22, 76, 20, ink.main, 8) +
      rect(-30, 18, 8, 12, ink.dark) +
      rect(22, 18, 8, 12, ink.dark),
    ink =>
      `<ellipse cx="0" cy="-2" rx="30" ry="9" fill="${ink.second}"/>` +
      thickLine(-20, 2, -30, 36, 6, ink.main) +
      thickLine(20, 2, 30, 36, 6, ink.main) +
      thickLine(0, 4, 0, 38, 6, ink.main),
  ],
  cup: [
    ink => rect(-22, -26, 40, 52, ink.main, 6) + arc('M18,-14 C44,-14 44,16 18,16', 7, ink.second),
    ink => polygon('-32,-18 32,-18 18,24 -18,24', ink.main) + rect(-12, 24, 24, 6, ink.second),
    ink =>
      `<path d="M-34,-10 A34,34 0 0 0 34,-10 Z" fill="${ink.main}"/>` +
      thickLine(-34, -10, 34, -10, 5, ink.second),
  ],
  bed: [
    ink =>
      rect(-42, 0, 84, 22, ink.main, 4) +
      rect(-44, -28, 8, 64, ink.dark) +
      rect(36, -8, 8, 44, ink.dark) +
      rect(-34, -12, 26, 13, ink.second, 5),
    ink =>
      rect(-44, 16, 88, 12, ink.main, 5) +
      rect(-38, 4, 30, 12, ink.second, 6) +
      rect(-6, 9, 46, 9, ink.dark, 4),
    ink =>
      arc('M-42,-24 Q0,44 42,-24', 12, ink.main) +
      thickLine(-44, -34, -44, 38, 6, ink.dark) +
      thickLine(44, -34, 44, 38, 6, ink.dark),
  ],
  lamp: [
    ink =>
      polygon('-28,-6 -14,-40 14,-40 28,-6', ink.second) +
      rect(-3, -6, 6, 38, ink.dark) +
      rect(-20, 32, 40, 7, ink.main, 3),
    ink =>
      thickLine(0, -46, 0, -12, 4, ink.dark) +
      circle(0, 8, 20, ink.second) +
      rect(-7, -16, 14, 10, ink.main),
    ink =>
      rect(-16, 6, 32, 30, ink.main, 8) +
      rect(-10, -24, 20, 30, ink.second, 9) +
      arc('M-18,8 C-34,-48 34,-48 18,8', 4, ink.dark),
  ],
  broom: [
    ink =>
      thickLine(22, -44, -6, 12, 6, ink.dark) +
      polygon('-22,8 8,22 -8,44 -38,28', ink.second) +
      thickLine(-22, 8, 8, 22, 5, ink.main),
    ink =>
      thickLine(0, -44, 0, 16, 6, ink.dark) +
      rect(-30, 16, 60, 9, ink.main, 2) +
      rect(-28, 25, 56, 15, ink.second),
    ink =>
      polygon('-5,-40 5,-40 26,42 -26,42', ink.second) +
      rect(-9, -22, 18, 7, ink.main) +
      thickLine(-8, 10, 8, 10, 4, ink.dark),
  ],
  door: [
    ink =>
      rect(-22, -42, 44, 84, ink.main, 2) +
      rect(-14, -34, 28, 26, ink.second) +
      circle(14, 6, 4, ink.dark),
    ink =>
      rect(-38, -40, 36, 80, ink.main) +
      rect(2, -40, 36, 80, ink.main) +
      rect(-32, -30, 24, 60, ink.second) +
      rect(8, -30, 24, 60, ink.second),
    ink =>
      arc('M-30,42 L-30,-10 A30,30 0 0 1 30,-10 L30,42', 9, ink.dark) +
      [-15, -5, 5, 15].map(x => thickLine(x, -28, x, 40, 5, ink.second)).join(''),
  ],
}

export const objectNames: readonly string[] = Object.keys(objects)
