/** Outlines of countries (Natural Earth 1:110m, public domain, by world-atlas), and places of those too small for them. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type * as Countries from 'i18n-iso-countries'
import { countryCode } from '../datasets/countries.ts'

interface Geometry {
  type: string
  id?: string
  arcs: number[][] | number[][][]
  properties: Record<string, unknown>
}

export interface Topology {
  type: 'Topology'
  arcs: [number, number][][]
  transform: { scale: [number, number]; translate: [number, number] }
  objects: { countries: { type: 'GeometryCollection'; geometries: Geometry[] } }
}

const require = createRequire(import.meta.url)
const loaded = new Map<string, Topology>()

function atlas(detail: '110m' | '50m'): Topology {
  const known = loaded.get(detail)
  if (known) return known
  const file = require.resolve(`world-atlas/countries-${detail}.json`)
  const { type, arcs, transform, objects } = JSON.parse(readFileSync(file, 'utf8')) as Topology
  const made: Topology = { type, arcs, transform, objects: { countries: objects.countries } }
  loaded.set(detail, made)
  return made
}

const antarctica = '010'

/** The outlines with `facts` by numeric country code as their properties; Antarctica is left out. */
export function outlines(facts: ReadonlyMap<string, Record<string, unknown>>): Topology {
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

/** ISO 3166-1 numeric code, three digits; undefined for a name that is no country's. */
export function numericCode(place: string): string | undefined {
  const code = countryCode(place)
  const { alpha2ToNumeric } = require('i18n-iso-countries') as typeof Countries
  return code === undefined ? undefined : alpha2ToNumeric(code)
}

/** Longitude and latitude of the middle of a country's bounding box, in degrees. */
export function middleOf(id: string): [longitude: number, latitude: number] | undefined {
  const { arcs, transform, objects } = atlas('50m')
  const country = objects.countries.geometries.find(geometry => geometry.id === id)
  if (!country) return undefined
  const points = (country.arcs as unknown[])
    .flat(3)
    .flatMap(arc => decode(arcs[Number(arc) < 0 ? ~Number(arc) : Number(arc)]!))
  const middle = (axis: 0 | 1): number => {
    const values = points.map(point => point[axis] * transform.scale[axis] + transform.translate[axis])
    return (Math.min(...values) + Math.max(...values)) / 2
  }
  return [middle(0), middle(1)]
}

/** An arc's points are differences from the point before. */
function decode(arc: readonly [number, number][]): [number, number][] {
  let [x, y] = [0, 0]
  return arc.map(([dx, dy]) => [(x += dx), (y += dy)])
}
