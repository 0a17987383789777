/** Replaces src/report/figures/atlas.ts in the browser. */
import small from 'world-atlas/countries-110m.json'
import large from 'world-atlas/countries-50m.json'
import { type Topology } from '../../report/figures/atlas.ts'

const topologies = { '110m': small, '50m': large } as unknown as Record<'110m' | '50m', Topology>

export const atlas = (detail: '110m' | '50m'): Topology => topologies[detail]
