/** Outlines of countries, and places of those too small for them. */
import { groupByKey } from '../../lib/tally.ts'
import { memoize } from '../../lib/memoize.ts'
import { atlas, type CountryGeometry, type Topology } from './atlas.ts'

const antarctica = '010'

/** Territories with a code of their own whose outlines are part of a country's: their middles and how far they reach, in degrees. */
const territories: Readonly<
  Record<string, { of: string; middle: [longitude: number, latitude: number]; reach: number }>
> = {
  '254': { of: '250', middle: [-53, 4], reach: 4 },
  '312': { of: '250', middle: [-61.5, 16.2], reach: 1 },
  '474': { of: '250', middle: [-61, 14.6], reach: 0.8 },
  '638': { of: '250', middle: [55.5, -21.1], reach: 1 },
  '175': { of: '250', middle: [45.2, -12.8], reach: 1 },
  '744': { of: '578', middle: [18, 78.5], reach: 11 },
}

/** The countries of an atlas, territories apart. */
const geometriesOf = memoize((detail: '110m' | '50m'): CountryGeometry[] =>
  atlas(detail).objects.countries.geometries.flatMap(country => {
    const own = Object.entries(territories).filter(([, { of }]) => of === country.id)
    if (own.length === 0 || country.type !== 'MultiPolygon') return [country]
    const polygons = country.arcs as number[][][]
    const territoryOf = (polygon: number[][]): string | undefined => {
      const [x, y] = middleOf(detail, polygon.flat())
      return own.find(
        ([, { middle, reach }]) => Math.hypot(x - middle[0], y - middle[1]) <= reach,
      )?.[0]
    }
    const split = groupByKey(polygons, polygon => territoryOf(polygon) ?? country.id)
    return [...split].map(([id, arcs]): CountryGeometry => ({
      ...country,
      arcs,
      ...(id !== undefined && { id }),
    }))
  }),
)

/** The outlines with `facts` by numeric country code as their properties; Antarctica is left out. */
export function countryOutlines(facts: ReadonlyMap<string, Record<string, unknown>>): Topology {
  const geometries = geometriesOf('110m')
    .filter(({ id }) => id !== antarctica)
    .map(({ type, id, arcs }) => ({
      type,
      ...(id === undefined ? {} : { id }),
      arcs,
      properties: facts.get(id ?? '') ?? {},
    }))
  return {
    ...atlas('110m'),
    objects: { countries: { type: 'GeometryCollection', geometries } },
  }
}

/** Whether a numeric country code has an outline. */
export const hasOutline = (id: string): boolean =>
  geometriesOf('110m').some(country => country.id === id)

/** Longitude and latitude of the middle of a country's bounding box, in degrees. */
export function countryMiddle(id: string): [longitude: number, latitude: number] | undefined {
  const country = geometriesOf('50m').find(geometry => geometry.id === id)
  return country && middleOf('50m', (country.arcs as unknown[]).flat(3).map(Number))
}

/** The middle of the bounding box of arcs; a negative number stands for an arc that runs backwards. */
function middleOf(detail: '110m' | '50m', numbers: readonly number[]): [number, number] {
  const { arcs, transform } = atlas(detail)
  const points = numbers.flatMap(number => decodeArc(arcs[number < 0 ? ~number : number]!))
  const middle = (axis: 0 | 1): number => {
    const values = points.map(
      point => point[axis] * transform.scale[axis] + transform.translate[axis],
    )
    return (Math.min(...values) + Math.max(...values)) / 2
  }
  return [middle(0), middle(1)]
}

/** An arc's points are differences from the point before. */
function decodeArc(arc: readonly [number, number][]): [number, number][] {
  let [x, y] = [0, 0]
  return arc.map(([dx, dy]) => [(x += dx), (y += dy)])
}
