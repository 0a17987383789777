import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { overlapObjects } from '../../../src/datasets/benchmarks/geode.ts'
import { openDataset } from '../../../src/datasets/open.ts'
import { shared } from '../../helpers/shared.ts'
import { lay, makeZip, temporaryFolder } from '../fixtures.ts'

const data = lay(temporaryFolder(), {
  'geode/index.csv': [
    ',file_path,object,region,ip_country,resolution,licence_plate,people_in_background,tree_tag',
    '0,Africa/Kenya/k_stove_1.jpg,stove,Africa,Kenya,480x640,no,no,no',
    '1,Europe/Spain/s_hand_soap_2.jpg,hand_soap,Europe,Spain,480x640,no,no,no',
    '2,Europe/Spain/s_tree_3.jpg,tree,Europe,Spain,480x640,no,no,no',
    '3,Europe/Spain/s_gone_4.jpg,stove,Europe,Spain,480x640,no,no,no',
    '4,Europe/Spain/s_ufo_5.jpg,ufo,Europe,Spain,480x640,no,no,no',
    '',
  ].join('\n'),
  'geode/images/Africa/Kenya/k_stove_1.jpg': 'one',
  'geode/images/Europe/Spain/s_hand_soap_2.jpg': 'two',
  'geode/images/Europe/Spain/s_tree_3.jpg': 'three',
})

describe('GeoDE', () => {
  it("maps objects to ImageNet's classes, keeps unmapped and missing ones, reports unknown objects", async () => {
    const dataset = await openDataset({ name: 'geode', data })
    expect(dataset.samples.map(({ label, labels, bytes }) => [label, labels, bytes])).toEqual([
      ['stove', [544, 827], 3],
      ['hand_soap', [804, 631], 3],
      ['tree', [], 5],
      ['stove', [544, 827], null],
    ])
    expect(dataset.samples[0]!.groups).toMatchObject({ region: 'Africa', country: 'Kenya' })
    expect(dataset.problems).toEqual([
      {
        id: 'Europe/Spain/s_ufo_5.jpg',
        code: 'unknown-class',
        message: 'unknown class: GeoDE object ufo',
      },
    ])
    expect(dataset.labelMap.name).toBe('geode-paper-1')
  })

  it('has its own 40 labels for zero-shot models', async () => {
    const dataset = await openDataset({ name: 'geode', data, labels: 'original' })
    expect(dataset.classes).toHaveLength(40)
    expect(dataset).toMatchObject({ labelSpace: 'own', labelMap: { name: 'original' } })
    expect(dataset.samples.map(item => item.labels.map(i => dataset.classes[i]))).toEqual([
      ['stove'],
      ['hand soap'],
      ['tree'],
      ['stove'],
    ])
  })

  it('has the objects that overlap with Dollar Street, and is the same from its zip', async () => {
    const overlap = await openDataset({ name: 'geode/overlap', data })
    expect(overlap.samples.map(item => item.label)).toEqual(['stove', 'hand_soap', 'stove'])
    const names = [
      'index.csv',
      'images/Africa/Kenya/k_stove_1.jpg',
      'images/Europe/Spain/s_hand_soap_2.jpg',
      'images/Europe/Spain/s_tree_3.jpg',
    ]
    const members = names.map(name => ({
      name: `geode/${name}`,
      content: readFileSync(join(data, 'geode', name)),
      deflate: true,
    }))
    const zip = lay(temporaryFolder(), { 'geode.zip': makeZip(members) })
    expect((await openDataset({ name: 'geode', data: zip })).hash).toBe(
      (await openDataset({ name: 'geode', data })).hash,
    )
  })

  it.skipIf(!shared)('counts 6,284 overlapping rows in the shared metadata', async () => {
    const { samples: items } = await openDataset({
      name: join(shared!, 'data/geode/metadata_test_1k.csv'),
    })
    const objects = new Set(overlapObjects)
    expect(items.filter(item => objects.has(item.label.replaceAll('_', ' ')))).toHaveLength(6284)
  })

  it.skipIf(!shared)(
    'resolves the 34 objects of the shared metadata to exactly its 1k_index sets',
    async () => {
      const index = join(shared!, 'data/geode/metadata_test_1k.csv')
      const [stated, mapped] = [
        await openDataset({ name: index }),
        await openDataset({ name: index, labels: 'imagenet' }),
      ]
      expect(stated.samples).toHaveLength(10_333)
      expect(new Set(stated.samples.map(item => item.label)).size).toBe(34)
      expect(new Set(stated.samples.map(item => item.groups['country'])).size).toBe(37)
      const differing = stated.samples.filter((item, i) => {
        const other = mapped.samples[i]!.labels
        return (
          item.labels.length !== other.length || item.labels.some(label => !other.includes(label))
        )
      })
      expect([...new Set(differing.map(item => item.label))]).toEqual([])
      expect(stated.labelMap).toEqual(mapped.labelMap)
    },
  )
})
