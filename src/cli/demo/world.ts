/*
 * A made-up world: households in four regions photograph eight objects, each in forms of their own.
 * A few stated shares decide what each benchmark shows; accuracies follow from them.
 */
import { type Random, randomFor } from '../../lib/random.ts'
import { type Ink, objectNames, objectSvg } from './objects.ts'

export interface Picture {
  id: string
  label: string
  svg: string
  groups: Record<string, string | number>
}

interface DemoRegion {
  name: string
  countries: readonly string[]
  /** Shares of an object's three forms. */
  forms: readonly [number, number, number]
  /** Median monthly income of the region's households. */
  income: number
}

const regions: readonly DemoRegion[] = [
  { name: 'Europe', countries: ['Avaland', 'Bergia'], forms: [0.9, 0.07, 0.03], income: 2400 },
  { name: 'Americas', countries: ['Cordovia', 'Dalmora'], forms: [0.75, 0.15, 0.1], income: 1500 },
  { name: 'Asia', countries: ['Esharan', 'Fenglu'], forms: [0.45, 0.45, 0.1], income: 900 },
  { name: 'Africa', countries: ['Gondara', 'Halwa'], forms: [0.35, 0.2, 0.45], income: 400 },
]

export const pictureSidePx = 232

/** Returns the clean pictures of the standard benchmark, nearly all of the common form. */
export function standardPictures(count: number, seed: number, purpose: string): Picture[] {
  return Array.from({ length: count }, (_, i) => {
    const draw = randomFor(seed, `${purpose} ${i}`)
    const label = objectNames[i % objectNames.length]!
    const form = drawForm([0.92, 0.05, 0.03], draw)
    return {
      id: `${purpose}-${i}`,
      label,
      groups: {},
      svg: sceneSvg(label, form, { ink: inkOf(draw), light: 0.95, clutter: 1, draw }),
    }
  })
}

/** Returns the scenes of the standard benchmark as gray pencil drawings. */
export function sketches(count: number, seed: number): Picture[] {
  return standardPictures(count, seed, 'sketch').map(picture => ({
    ...picture,
    svg: picture.svg.replaceAll(/hsl\((\S+) \S+ /g, 'hsl($1 0% '),
  }))
}

/**
 * Pictures by some households of each region, `each` by a household, with country, income and household as the households
 * state them. Another `kind` gives other households.
 */
export function householdPictures({
  households,
  each,
  seed,
  kind = '',
}: {
  households: number
  each: number
  seed: number
  kind?: string
}): Picture[] {
  return regions.flatMap(region =>
    Array.from({ length: households }, (_, h) => {
      const home = randomFor(seed, `${kind}${region.name} ${h}`)
      const income = Math.round(region.income * Math.exp(1.2 * (home() + home() + home() - 1.5)))
      const ink = inkOf(home)
      const household = `${kind}${region.name}-${h}`
      const place = { region: region.name, country: region.countries[h % 2]!, income, household }
      const wealth = Math.min(1, Math.log(income / 100) / Math.log(50))
      return Array.from({ length: each }, (_, i): Picture => {
        const draw = randomFor(seed, `${household} ${i}`)
        const label = objectNames[(h * each + i) % objectNames.length]!
        const look = { ink, light: 0.55 + 0.4 * wealth, clutter: Math.round(5 - 3 * wealth), draw }
        return {
          id: `${household}-${i}`,
          label,
          groups: place,
          svg: sceneSvg(label, drawForm(region.forms, draw), look),
        }
      })
    }).flat(),
  )
}

function drawForm(shares: readonly [number, number, number], draw: Random): 0 | 1 | 2 {
  const u = draw()
  return u < shares[0] ? 0 : u < shares[0] + shares[1] ? 1 : 2
}

/** Colours of a household's things. */
function inkOf(draw: Random): Ink {
  const hue = Math.round(360 * draw())
  const other = (hue + 60 + Math.round(240 * draw())) % 360
  return {
    main: `hsl(${hue} 55% 55%)`,
    second: `hsl(${other} 60% 45%)`,
    dark: `hsl(${hue} 30% 22%)`,
  }
}

interface SceneStyle {
  ink: Ink
  /** Brightness of the room, 0 … 1. */
  light: number
  /** Number of distracting objects. */
  clutter: number
  draw: Random
}

function sceneSvg(
  label: string,
  form: 0 | 1 | 2,
  { ink, light, clutter, draw }: SceneStyle,
): string {
  const between = (low: number, high: number): number =>
    Number((low + (high - low) * draw()).toFixed(2))
  const wall = `hsl(${between(0, 360)} ${between(5, 25)}% ${Math.round(88 * light)}%)`
  const floor = `hsl(${between(20, 60)} 20% ${Math.round(62 * light)}%)`
  const things = Array.from({ length: clutter }, () => {
    const fill = `hsl(${between(0, 360)} 30% ${Math.round(60 * light)}%)`
    return `<rect x="${between(-75, 60)}" y="${between(-75, 60)}" width="${between(6, 22)}" height="${between(6, 22)}" fill="${fill}"/>`
  })
  const place = `translate(${between(-14, 14)} ${between(-12, 12)}) rotate(${between(-14, 14)}) scale(${between(0.85, 1.25)} ${between(0.85, 1.25)})`
  const object = objectSvg(label, form, ink)
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="-80 -80 160 160" width="${pictureSidePx}" height="${pictureSidePx}">` +
    `<rect x="-80" y="-80" width="160" height="160" fill="${wall}"/><rect x="-80" y="${between(20, 40)}" width="160" height="80" fill="${floor}"/>` +
    `${things.join('')}<g transform="${place}">${object}</g></svg>`
  )
}
