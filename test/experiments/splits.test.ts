import { describe, expect, it } from 'vitest'
import { type Sample } from '../../src/datasets/dataset.ts'
import {
  requireClassesEvaluated,
  splitSamples,
  type SplitProtocol,
} from '../../src/experiments/splits.ts'
import { households, made } from './items.ts'

const items = [
  ...households('Africa', 20, 4),
  ...households('Europe', 40, 4),
  ...households('Asia', 60, 4),
]
const householdsOf = (part: readonly Sample[]) => new Set(part.map(item => item.groups.household))
const countOf = (part: readonly Sample[], region: string) =>
  part.filter(item => item.groups.region === region).length

describe('splits', () => {
  it('share no household and hold the wanted share by default', () => {
    const { train, test, notes } = splitSamples(items)
    expect(train.length + test.length).toBe(items.length)
    expect([...householdsOf(test)].filter(household => householdsOf(train).has(household))).toEqual(
      [],
    )
    expect(test.length / items.length).toBeGreaterThanOrEqual(0.2)
    expect(test.length / items.length).toBeLessThan(0.2 + 4 / items.length + 1e-9)
    expect(notes).toEqual([])
  })

  it('do not depend on the order of the images', () => {
    const ids = (rows: readonly Sample[]) => new Set(splitSamples(rows).test.map(item => item.id))
    expect(ids(items.toReversed())).toEqual(ids(items))
  })

  it('balance regions in both parts', () => {
    const { train, test } = splitSamples(items, 'household-balanced')
    for (const part of [train, test]) {
      const counts = ['Africa', 'Europe', 'Asia'].map(region => countOf(part, region))
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThan(4)
      expect(Math.min(...counts)).toBeGreaterThan(0)
    }
    expect([...householdsOf(test)].some(household => householdsOf(train).has(household))).toBe(
      false,
    )
  })

  it('as published count the shared households', () => {
    const rows = [
      made('a', 'stove', { household: 'x', split: 'train' }),
      made('b', 'stove', { household: 'x', split: 'test' }),
      made('c', 'stove', { household: 'y', split: 'test' }),
    ]
    const { train, test, notes } = splitSamples(rows, 'published')
    expect(train.map(item => item.id)).toEqual(['a'])
    expect(test.map(item => item.id)).toEqual(['b', 'c'])
    expect(notes).toEqual(['1 households have images in both the training and the test part'])
  })

  it('take an image without a household as its own and say so', () => {
    const rows = Array.from({ length: 10 }, (_, i) => made(`${i}`, 'stove', { household: null }))
    const { test, notes } = splitSamples(rows)
    expect(test.length).toBe(2)
    expect(notes).toEqual(['10 images have no household; each counts as its own'])
  })

  it('refuse what cannot be split', () => {
    expect(() => splitSamples(items, 'published')).toThrow(
      'image Africa-0 has split none, not train or test',
    )
    expect(() => splitSamples([made('a', 's', { split: 'train' })], 'published')).toThrow(
      'the test part of the published',
    )
    expect(() => splitSamples(items, 'pubished' as SplitProtocol)).toThrow(
      'unknown split: pubished; nearest: published',
    )
    expect(() =>
      splitSamples([made('a', 's', {}), made('b', 's', {})], 'household-balanced'),
    ).toThrow(/has no region/)
  })
})

describe('requireEvaluated', () => {
  it('names the classes that the evaluation lacks', () => {
    const rows = ['stove', 'spoon', 'bed'].map(label => made(label, label, {}))
    expect(() => requireClassesEvaluated(rows.slice(0, 2), rows)).not.toThrow()
    expect(() => requireClassesEvaluated(rows, rows.slice(0, 1))).toThrow(
      'that the evaluation lacks: spoon, bed',
    )
  })
})
