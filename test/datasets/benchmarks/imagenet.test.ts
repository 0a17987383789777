import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  imagenetClasses,
  imagenetNames,
  imagenetWnids,
  indexOfWnid,
} from '../../../src/datasets/labels/imagenet.ts'
import { imagenetIndices, imagenetSpace } from '../../../src/datasets/labels/labelSpace.ts'
import { shared } from '../../helpers/shared.ts'

describe("ImageNet's 1,000 classes", () => {
  it('are in wnid order, each wnid once', () => {
    expect(imagenetClasses).toHaveLength(1000)
    expect(imagenetWnids).toEqual([...new Set(imagenetWnids)].sort())
    expect([indexOfWnid('n01440764'), indexOfWnid('n15075141'), indexOfWnid('n00000000')]).toEqual([
      0,
      999,
      undefined,
    ])
  })

  it("have the development kit's ids", () => {
    const indexById = new Map(imagenetClasses.map(({ ilsvrcId }, index) => [ilsvrcId, index]))
    expect([...indexById.keys()].sort((a, b) => a - b)).toEqual(
      Array.from({ length: 1000 }, (_, i) => i + 1),
    )
    // The first validation images: their ids in the kit, and their class indices in lists of other makers.
    const ids = [490, 361, 171, 822, 297, 482, 13, 704, 599, 164, 649, 11, 73, 286, 554, 6, 648]
    expect(ids.map(id => indexById.get(id))).toEqual([
      65, 970, 230, 809, 516, 57, 334, 415, 674, 332, 109, 286, 370, 757, 595, 147, 108,
    ])
  })

  it('repeat only the two names that ImageNet is known to repeat', () => {
    const repeated = imagenetNames.filter((name, i) => imagenetNames.indexOf(name) !== i)
    expect(repeated).toEqual(['missile', 'sunglasses'])
  })

  it('resolve from an index, a wnid, a name, a synonym, whatever the case and underscores', () => {
    const written = ['0', 'n01440764', 'tench', 'Tinca tinca', 'TENCH', 'Tinca_tinca']
    expect(written.map(label => imagenetSpace.resolve(label))).toEqual(written.map(() => [0]))
    expect(imagenetSpace.resolve('construction crane')).toEqual([517])
    expect(imagenetIndices('crane')).toEqual([134, 517])
  })

  it('refuse what is unknown or stands for several classes, by name', () => {
    expect(() => imagenetSpace.resolve('n99999999')).toThrow('unknown wnid: n99999999')
    expect(() => imagenetSpace.resolve('1000')).toThrow(
      'class index 1000 is out of range: there are 1000 classes, 0 to 999',
    )
    expect(() => imagenetSpace.resolve('tenches')).toThrow('unknown class: tenches; nearest: tench')
    expect(() => imagenetSpace.resolve('crane')).toThrow(
      'use one of: n02012849 (crane), n03126707 (crane)',
    )
  })

  it.skipIf(!shared)('name the shared sample photographs as their file names do', () => {
    const files = readdirSync(join(shared!, 'data/imagenet-samples'))
    const wrong = files.filter(file => {
      const [, wnid = '', name = ''] = /^(n\d{8})_(.*)\.JPEG$/.exec(file) ?? []
      return !imagenetIndices(name).includes(indexOfWnid(wnid) ?? -1)
    })
    expect(files.length).toBeGreaterThan(300)
    expect(wrong).toEqual([])
  })
})
