import { describe, expect, it } from 'vitest'
import { findingSentence } from '../../src/analysis/answerSentences.ts'
import { runSentence } from '../../src/analysis/runSentence.ts'
import { runView } from '../../src/analysis/runView.ts'
import { madeUpRun, type WorldOptions } from '../report/figures/world.ts'

const sentenceOf = async (options: WorldOptions, minN = 30): Promise<string> =>
  (await runSentence(runView(madeUpRun(options), { minN }))).sentence

describe('runSentence', () => {
  it('has accuracy, places, disparity with its interval and chance, and progress', async () => {
    expect(await sentenceOf({ models: 98, catalogue: true })).toMatch(
      /^clip:\S+, the best of 98 models, gets 5\d\.\d % of 2,\d{3} images of Dollar Street right, best in Europe \(6\d\.\d %\) and worst in Africa \(4\d\.\d %\): a disparity of 1\d\.\d points \(95 % interval \d+\.\d to \d+\.\d\), more than chance explains \(p < 0\.001\)\. A point on ImageNet came with/,
    )
  })

  it('is about the model and the data set asked for', async () => {
    const results = runView(madeUpRun({ models: 4 }))
    const model = results.models.at(-1)!
    const { sentence, finding } = await runSentence(results, { model, dataset: 'geode' })
    expect(finding).toMatchObject({ model, dataset: 'geode', by: 'region' })
    expect(sentence).toContain('images of GeoDE right')
    expect(sentence).toContain('on GeoDE')
  })

  it('says what cannot be told', async () => {
    expect(await sentenceOf({ models: 1 })).not.toContain('A point on')
    expect(await sentenceOf({ models: 2, geographic: [] })).toMatch(
      /images of ImageNet right; no data set has regions or countries/,
    )
    expect(await sentenceOf({ models: 0 })).toBe('No model has a prediction yet.')
    expect(await sentenceOf({ models: 2 }, 100_000)).toMatch(
      /images of Dollar Street right; where it is best and worst cannot be told: /,
    )
    const { finding } = await runSentence(runView(madeUpRun({ models: 1 })))
    const disparity = { ...finding!.disparity, p: 0.31 }
    expect(findingSentence({ ...finding!, disparity })).toContain(
      ', which cannot be told from chance (p = 0.31).',
    )
    const equal = { ...finding!.best!, group: 'Asia' }
    expect(findingSentence({ ...finding!, worst: equal, disparity })).toMatch(
      /right, and as many in every group of enough images: a disparity of 0\.0 points/,
    )
    expect(findingSentence({ ...finding!, worst: { ...finding!.worst!, n: 31 } })).toMatch(
      /worst in Africa \(\d\d\.\d % of 31 images\): a disparity/,
    )
    expect(
      findingSentence({
        ...finding!,
        disparity: { ...disparity, interval: null, reason: 'no interval: one household' },
      }),
    ).toMatch(
      /points, which cannot be told from chance \(p = 0\.31\); no interval: one household\.$/,
    )
  })
})
