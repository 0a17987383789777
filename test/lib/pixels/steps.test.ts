import { describe, expect, it } from 'vitest'
import { resolveModel } from '../../../src/models/catalog.ts'
import { testbed } from '../../../src/models/testbed.ts'
import {
  describeSteps,
  nativeSteps,
  paperStepsFor,
  parseSteps,
  trim,
} from '../../../src/lib/pixels/steps.ts'

describe('described steps', () => {
  it('are read back as they were, for every model of the testbed', () => {
    const bgr = {
      mean: [1, 2, 3],
      std: [0.1, 1e-9, 3],
      interpolation: 'bicubic',
      cropPct: 1,
      size: 64,
    } as const
    const recipes = [...testbed().map(row => resolveModel(row.model).recipe), { ...bgr, channels: 'BGR', squash: true } as const, { ...bgr, channels: 'BGR', cropOffset: 'floor' } as const] // prettier-ignore
    for (const recipe of recipes)
      for (const steps of [nativeSteps(recipe), [trim(2), ...paperStepsFor(recipe)]])
        expect(parseSteps(describeSteps(steps))).toEqual(steps)
  })

  it('of another version are refused by name', () =>
    expect(() => parseSteps('draft(2) centerCrop(224)')).toThrow('draft is no preprocessing step'))
})
