/** Outlines of countries, and places of those too small for them. */
import { atlas, type Topology } from './atlas.ts'

const antarctica = '010'

/** The outlines with `facts` by numeric country code as their properties; Antarctica is left out. */
export function countryOutlines(facts: ReadonlyMap<string, Record<string, unknown>>): Topology {
  const world = atlas('110m')
  const geometries = world.objects.countries.geometries
    .filter(({ id }) => id !== antarctica)
    .map(({ type, id, arcs }) => ({
      type,
      ...(id === undefined ? {} : { id }),
      arcs,
      properties: facts.get(id ?? '') ?? {},
    }))
  return { ...world, objects: { countries: { type: 'GeometryCollection', geometries } } }
}

/** Whether a numeric country code has an outline. */
export const hasOutline = (id: string): boolean =>
  atlas('110m').objects.countries.geometries.some(country => country.id === id)

/** Longitude and latitude of the middle of a country's bounding box, in degrees. */
export function countryMiddle(id: string): [longitude: number, latitude: number] | undefined {
  const { arcs, transform, objects } = atlas('50m')
  const country = objects.countries.geometries.find(geometry => geometry.id === id)
  if (!country) return undefined
  const points = (country.arcs as unknown[])
    .flat(3)
    .flatMap(arc => decodeArc(arcs[Number(arc) < 0 ? ~Number(arc) : Number(arc)]!))
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
