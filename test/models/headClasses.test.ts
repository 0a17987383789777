import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { imagenetClasses, indexOfWnid } from '../../src/datasets/labels/imagenet.ts'
import { nativeSteps } from '../../src/lib/pixels/steps.ts'
import { writeSafetensors } from '../../src/lib/tensors/safetensors.ts'
import { modelNames, resolveModel } from '../../src/models/catalog.ts'
import { modelCost } from '../../src/models/modelCost.ts'
import {
  decodePlaces,
  encodePlaces,
  evaluationNote,
  headListOf,
  headLists,
} from '../../src/models/headClasses.ts'
import { initialWeights } from '../../src/models/initialWeights.ts'
import { loadModel } from '../../src/models/runtime/loadModel.ts'
import { prepareModel } from '../../src/models/runtime/prepareModel.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-heads-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Wnids of ImageNet's classes that a list lacks. */
const missing = (classes: number): string[] =>
  headListOf(classes)!.places.flatMap((place, i) => (place < 0 ? imagenetClasses[i]!.wnid : []))

describe('the lists of classes of larger heads', () => {
  it('have a place for each of the 1,000, in the order of the list, or none', () => {
    for (const { classes, places } of headLists()) {
      const present = places.filter(place => place >= 0)
      expect(places).toHaveLength(1000)
      expect(present.every((place, i) => i === 0 || place > present[i - 1]!)).toBe(true)
      expect(present.at(-1)).toBeLessThan(classes)
    }
  })

  it('lack the classes that timm’s lists lack', () => {
    expect(missing(21_841)).toEqual(['n04399382'])
    expect(missing(21_843)).toEqual(['n04399382'])
    expect(missing(21_842)).toEqual([])
    expect(missing(11_821)).toHaveLength(7)
    expect(missing(11_221)).toHaveLength(9)
    expect(missing(11_821)).toContain('n02085782')
    expect(headListOf(1001)!.places.slice(0, 3)).toEqual([1, 2, 3])
    expect(headListOf(21_842)!.places.at(-1)).toBe(999)
    expect(headListOf(1000)).toBeUndefined()
  })

  it('are written and read without loss', () => {
    const places = fc.array(fc.integer({ min: 1, max: 300 })).map(steps => {
      let place = -1
      return steps.map(step => (step % 7 === 0 ? -1 : (place += step)))
    })
    fc.assert(
      fc.property(
        places.filter(list => list.length > 0),
        list => {
          expect(decodePlaces(encodePlaces(list))).toEqual(list)
        },
      ),
    )
  })
})

describe('tags with a larger head', () => {
  it('are models of the 1,000 behind the architecture’s own, with their size and what they lack', () => {
    const large = modelNames()
      .map(resolveModel)
      .filter(({ headClasses }) => headClasses)
    expect(large).toHaveLength(110)
    const convnext = resolveModel('convnext_base.fb_in22k')
    expect(convnext).toMatchObject({ classes: 'imagenet-1k', headClasses: 21_841 })
    expect(evaluationNote(convnext)).toContain('lacks 1 of ImageNet')
    expect(resolveModel('convnext_base').headClasses).toBeUndefined()
    expect(modelCost(resolveModel('vit_base_patch16_224.augreg_in21k')).parameters).toBe(
      modelCost(resolveModel('vit_base_patch16_224.augreg_in21k_ft_in1k')).parameters +
        769 * (21_843 - 1000),
    )
  })

  it('give the logits of the 1,000 from their columns, under a key that says so', async () => {
    const file = join(folder, 'lcnet.safetensors')
    await writeSafetensors(file, initialWeights('lcnet_050', 11_821, 3))
    const spec = {
      ...resolveModel('lcnet_050'),
      headClasses: 11_821,
      weights: { from: 'files', files: [file] },
    } as const
    const { model, hashes } = await prepareModel(spec)
    expect(hashes.at(-1)).toMatch(/^imagenet-1k of imagenet-12k, 7 missing, [0-9a-f]{8}$/)
    const steps = nativeSteps({ ...spec.recipe, size: 32 })
    const crops = Uint8Array.from({ length: 2 * 3 * 32 * 32 }, (_, i) => (i * 37) % 256)
    const logitsOf = async (one: typeof model): Promise<Float32Array> => {
      const session = await loadModel(one, steps, { outputs: ['logits'] })
      const { logits } = await session.run(crops, 2)
      await session.release()
      return logits!
    }
    const picked = await logitsOf(model)
    const whole = await logitsOf({ ...model, picksImagenet: undefined })
    expect([picked.length, whole.length]).toEqual([2000, 2 * 11_821])
    const { places } = headListOf(11_821)!
    const tench = indexOfWnid('n01440764')!
    expect(picked[tench]).toBe(whole[places[tench]!])
    expect(picked[1999]).toBe(whole[11_821 + places[999]!])
    const lacking = places.findIndex(place => place < 0)
    expect(picked[lacking]).toBe(-10_000)
    expect(picked.filter(value => value === -10_000)).toHaveLength(14)
  })
})
