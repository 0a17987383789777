import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { normalizeGroups } from '../../../src/datasets/labels/normalizeGroups.ts'
import type { GroupValue, Sample } from '../../../src/datasets/dataset.ts'
import { openDataset } from '../../../src/datasets/open.ts'
import { shared } from '../../helpers/shared.ts'

/** Normalizes one column and returns its values and the notes. */
function normalized(column: string, values: readonly GroupValue[]) {
  const samples = values.map((value, i): Sample => ({
    id: String(i),
    image: { kind: 'file', file: 'x' },
    labels: [0],
    label: 'mug',
    groups: { [column]: value, other: 'kept' },
  }))
  const { samples: found, notes } = normalizeGroups(samples, [column, 'other'])
  expect(found.every(({ groups }) => groups['other'] === 'kept')).toBe(true)
  return { values: found.map(({ groups }) => groups[column]), notes }
}

describe('grouping values', () => {
  it.each(['None', 'nan', 'NaN', 'NULL', 'null', 'N/A', '#N/A', '<NA>', 'none', ' ', ''])(
    '%j is a missing value in a column of text',
    word => {
      expect(normalized('region', ['Africa', word]).values).toEqual(['Africa', null])
      expect(normalized('camera', ['Nikon', word]).values).toEqual(['Nikon', null])
    },
  )

  it('NA is a code among codes, else missing, and a note says which', () => {
    const codes = normalized('region', ['NA', 'EU', 'None', 'NA'])
    expect(codes.values).toEqual(['NA', 'EU', null, 'NA'])
    expect(codes.notes).toEqual([
      'NA in its column region (2 images) is a name, for other values are codes too',
    ])
    const names = normalized('region', ['NA', 'Europe'])
    expect(names.values).toEqual([null, 'Europe'])
    expect(names.notes).toEqual([
      'NA in its column region (1 images) is a missing value, for no other value is a code',
    ])
  })

  it('continents have their own name in any case, other regions that of most images', () => {
    expect(normalized('region', ['africa', 'EUROPE', 'asia ', 'the americas'])).toEqual({
      values: ['Africa', 'Europe', 'Asia', 'Americas'],
      notes: [
        'regions under one name: Africa (africa), Europe (EUROPE), Asia (asia ), Americas (the americas)',
      ],
    })
    expect(
      normalized('region', ['West_Asia', 'west asia', 'West-Asia', 'West-Asia']).values,
    ).toEqual(['West-Asia', 'West-Asia', 'West-Asia', 'West-Asia'])
    expect(normalized('region', ['coast', 'inland']).notes).toEqual([])
  })

  it('countries are one by name, language, accents, case and ISO codes', () => {
    const { values, notes } = normalized('country', [
      ...['Vietnam', 'Viet Nam', 'viet nam', 'VN', 'VNM', '704', 'Viêt Nam'],
      ...["Cote d'Ivoire", 'CÔTE D’IVOIRE', 'CIV', "Cote d'Ivoire"],
      ...['KENYA', 'KENYA', 'Kenya', 'Mars', 'mars'],
    ])
    expect(new Set(values)).toEqual(new Set(['Viet Nam', "Cote d'Ivoire", 'Kenya', 'Mars']))
    expect(notes).toHaveLength(1)
    expect(notes[0]).toContain('Kenya (KENYA)')
    expect(normalized('country', ['KE', 'NG']).values).toEqual(['KE', 'NG'])
  })

  it('numbers and names of other columns stay as they are', () => {
    expect(normalized('income', [12, null, 30.5]).values).toEqual([12, null, 30.5])
    expect(normalized('camera', ['africa', 'Africa']).values).toEqual(['africa', 'Africa'])
  })
})

it.skipIf(!shared)('text None is no region', async () => {
  const { samples, notes } = await openDataset({ name: join(shared!, 'cases/data/na_region.csv') })
  const regions = new Set(samples.map(({ groups }) => groups['region']))
  expect(regions).toEqual(new Set(['NA', 'EU', null]))
  expect(notes!.join()).toContain('NA in its column region')
})
