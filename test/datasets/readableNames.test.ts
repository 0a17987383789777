import { expect, it } from 'vitest'
import { countryName, labelName } from '../../src/datasets/labels/readableNames.ts'

it('codes of countries have names, other texts stay', () => {
  expect(['KE', 'GBR', '404', 'Kenya', 'XX', 'Côte d’Ivoire'].map(countryName)).toEqual([
    'Kenya',
    'United Kingdom',
    'Kenya',
    'Kenya',
    'XX',
    'Côte d’Ivoire',
  ])
})

it('wnids have the names of ImageNet, other labels stay', () => {
  expect(['n01491361', 'n99999999', 'stove'].map(labelName)).toEqual([
    'tiger shark',
    'n99999999',
    'stove',
  ])
})
