import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { countryCode } from '../../../src/datasets/labels/countries.ts'
import { openDataset } from '../../../src/datasets/open.ts'
import {
  regionFinder,
  readRegionScheme,
  regionSchemes,
} from '../../../src/datasets/labels/regions.ts'
import { shared } from '../../helpers/shared.ts'
import { lay, temporaryFolder } from '../fixtures.ts'

describe('countries', () => {
  it.each([
    ['KE', ['Kenya', 'ke', 'KEN', '404', 'Quénia', 'ケニア', ' kenya ']],
    ['GB', ['UK', 'United Kingdom', 'Great Britain', 'England', 'GBR', 'the united kingdom']],
    ['CI', ["Côte d'Ivoire", 'Cote d’Ivoire', 'Ivory Coast', 'CIV']],
    ['VN', ['Vietnam', 'Viet Nam', 'VNM']],
    ['CD', ['DR Congo', 'Democratic Republic of the Congo', 'COD', 'Zaire', 'Congo (Kinshasa)']],
    ['IR', ['Iran', 'Iran (Islamic Republic of)', 'Persia']],
    ['LK', ['Sri Lanka', 'Ceylon']],
    ['BF', ['Burkina Faso', 'Upper Volta']],
    ['MK', ['North Macedonia', 'FYROM', 'Macedonia']],
    ['TR', ['Turkey', 'Türkiye', 'TUR', '792']],
    ['AF', ['4', '004', 'Afghanistan']],
    ['KR', ['South Korea', 'Korea, Republic of', 'South_Korea', 'Korea (South)']],
  ])('%s is recognized in its usual forms', (code, names) => {
    expect(names.map(countryCode)).toEqual(names.map(() => code))
  })

  it('that do not exist have no code', () => {
    expect(['Atlantis', 'ZZ', 'XYZ', '999', ''].map(countryCode)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
    ])
  })
})

describe('region schemes', () => {
  it('are consistent: known countries, each in one region', async () => {
    for (const name of regionSchemes) {
      const scheme = await readRegionScheme(name)
      const countries = Object.values(scheme.regions).flat()
      const codes = countries.map(countryCode)
      expect(codes.filter(code => code === undefined).length).toBeLessThanOrEqual(2)
      expect(new Set(codes).size).toBeGreaterThanOrEqual(codes.length - 1)
      expect(() => regionFinder(scheme)).not.toThrow()
    }
  })

  it("West is Europe and the Americas, as the paper's", async () => {
    const find = regionFinder(await readRegionScheme('west-1'))
    expect(['Kenya', 'FR', 'Brazil', 'India', 'Australia'].map(find)).toEqual([
      'non-West',
      'West',
      'West',
      'non-West',
      undefined,
    ])
  })

  it.skipIf(!shared)("GeoDE's agrees with the shared metadata", async () => {
    const index = join(shared!, 'data/geode/metadata_test_1k.csv')
    const [own, derived] = [
      await openDataset({ name: index }),
      await openDataset({ name: index, regions: 'geode-1' }),
    ]
    expect(derived.samples.map(item => item.groups['region'])).toEqual(
      own.samples.map(item => item.groups['region']),
    )
    expect(derived.regionMapping!.unmatched).toEqual([])
    const continents = await openDataset({ name: index, regions: 'continents-1' })
    expect(new Set(continents.samples.map(item => item.groups['region']))).toEqual(
      new Set(['Africa', 'Americas', 'Asia', 'Europe']),
    )
  })
})

describe('an own scheme', () => {
  const folder = lay(temporaryFolder(), {
    'photos.csv':
      'image,label,country\na.jpg,0,Kenya\nb.jpg,0,FRA\nc.jpg,0,Atlantis\nd.jpg,0,Atlantis\ne.jpg,0,\n',
    'north.json':
      '{"name": "hemispheres", "regions": {"North": ["FR", "Spain"], "South": ["Kenya"]}}',
    'north.csv': 'country,region\nFrance,North\nKE,South\nAtlantis,Sea\n',
    'twice.json': '{"regions": {"a": ["FR"], "b": ["France"]}}',
    'bad.json': '{"regions": 3}',
    'bad.csv': 'land,region\nFR,x\n',
  })
  const open = (regions: string): ReturnType<typeof openDataset> =>
    openDataset({ name: join(folder, 'photos.csv'), regions })

  it('gives regions from JSON; unmatched places are counted and listed', async () => {
    const dataset = await open(join(folder, 'north.json'))
    expect(dataset.samples.map(item => item.groups['region'])).toEqual([
      'South',
      'North',
      null,
      null,
      null,
    ])
    expect(dataset.columns).toEqual(['region', 'country'])
    expect(dataset.regionMapping).toMatchObject({
      scheme: 'hemispheres',
      unmatched: [
        { place: 'Atlantis', count: 2 },
        { place: '', count: 1 },
      ],
    })
  })

  it('may name places that are no countries', async () => {
    const dataset = await open(join(folder, 'north.csv'))
    expect(dataset.samples.map(item => item.groups['region'])).toEqual([
      'South',
      'North',
      'Sea',
      'Sea',
      null,
    ])
  })

  it.each([
    ['twice.json', 'country in two regions: France is in a and b'],
    ['bad.json', 'not a region scheme'],
    ['bad.csv', 'no column country'],
    ['none.json', 'missing file'],
    ['continent', 'unknown region scheme: continent; known: continents-1'],
  ])('%s is refused', async (file, message) => {
    await expect(open(file.includes('.') ? join(folder, file) : file)).rejects.toThrow(message)
  })
})
