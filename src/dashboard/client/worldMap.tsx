import { accuracyPercent } from '../../lib/table/values.ts'
import { ownValue } from '../../lib/ownValue.ts'
import { defaultMinN } from '../../metrics/disparity.ts'
import { findMarked } from '../marks.ts'
import { toggleLink, type ScreenProps } from './choice.ts'
import { Figure } from './figure.tsx'
import { nameOf, Select } from './parts.tsx'

/** Each country's accuracy, or how far it is from that of all images; a click filters everything. */
export function CountryMap({ overview, route, choice, screen }: ScreenProps) {
  const measure = route.query['measure'] === 'gap' ? 'gap' : 'accuracy'
  const all = screen.everywhere.top1 ?? 0
  const { names } = overview
  const rows = screen.places.country.flatMap(row => {
    const id = ownValue(overview.countries, row.group)
    if (row.top1 === null || id === undefined) return []
    return [{ country: nameOf(names, row.group), id, n: row.n, ...accuracyPercent(row) }]
  })
  if (rows.length === 0) return null
  const chosen = screen.places.country.find(({ group }) => group === choice.filter.country)
  const pick = (about: string): void => {
    const row = findMarked(about, screen.places.country, ({ group }) => `${nameOf(names, group)}: `)
    if (row) location.hash = toggleLink(route, 'country', row.group)
  }
  const small = rows.some(({ n }) => n < defaultMinN)
  return (
    <section class="map" aria-labelledby="map-title">
      <div class="heading">
        <h2 id="map-title">World map</h2>
        <Select
          route={route}
          name="measure"
          label="colour"
          value={measure}
          options={[
            ['accuracy', 'accuracy'],
            ['gap', 'difference from all images'],
          ]}
        />
      </div>
      <Figure
        id={JSON.stringify([measure, rows])}
        label={`World map: ${measure === 'gap' ? 'difference of accuracy from that of all images' : 'accuracy'} by country`}
        caption={`${measure === 'gap' ? `Points above or below the ${(100 * all).toFixed(1)} % of all images` : 'Top-1 accuracy in percent'}.${small ? ` Hatched: fewer than ${defaultMinN} images.` : ''} Pale: none. A click filters everything.`}
        drawing={width => [
          'map',
          [rows, defaultMinN, { width, from: measure === 'gap' ? 100 * all : null }],
        ]}
        chosen={chosen && `${nameOf(names, chosen.group)}: `}
        onPick={pick}
      />
    </section>
  )
}
