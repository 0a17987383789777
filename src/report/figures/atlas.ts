/** The files of outlines of countries (Natural Earth, public domain, by world-atlas). */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { memoize } from '../../lib/memoize.ts'

/** A country of an atlas. */
export interface CountryGeometry {
  type: string
  id?: string
  arcs: number[][] | number[][][]
  properties: Record<string, unknown>
}

export interface Topology {
  type: 'Topology'
  arcs: [number, number][][]
  transform: { scale: [number, number]; translate: [number, number] }
  objects: { countries: { type: 'GeometryCollection'; geometries: CountryGeometry[] } }
}

const require = createRequire(import.meta.url)

/** Outlines at 1:110m or 1:50m. */
export const atlas = memoize((detail: '110m' | '50m'): Topology => {
  const file = require.resolve(`world-atlas/countries-${detail}.json`)
  const { type, arcs, transform, objects } = JSON.parse(readFileSync(file, 'utf8')) as Topology
  return { type, arcs, transform, objects: { countries: objects.countries } }
})
