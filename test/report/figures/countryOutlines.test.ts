import { expect, it } from 'vitest'
import {
  countryMiddle,
  countryOutlines,
  hasOutline,
} from '../../../src/report/figures/countryOutlines.ts'

it('territories have a place of their own, apart from their country', () => {
  expect(hasOutline('254')).toBe(true)
  const facts = new Map([['250', { about: 'France' }]])
  const { geometries } = countryOutlines(facts).objects.countries
  const of = (id: string) => geometries.filter(geometry => geometry.id === id)
  expect(of('250')).toHaveLength(1)
  expect(of('250')[0]!.properties).toEqual({ about: 'France' })
  expect(of('254')[0]!.properties).toEqual({})
  const [longitude, latitude] = countryMiddle('638')!
  expect([Math.round(longitude), Math.round(latitude)]).toEqual([56, -21])
})
