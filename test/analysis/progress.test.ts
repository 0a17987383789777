import { describe, expect, it } from 'vitest'
import { findModelName } from '../../src/models/findModelName.ts'
import { progressEvidence, publishedEvidence } from '../../src/analysis/progress/evidence.ts'
import { compareProgress, headlinePairs } from '../../src/analysis/progress/progress.ts'
import { progressSentences } from '../../src/analysis/progress/sentence.ts'
import { runView } from '../../src/analysis/runView.ts'
import { findPretraining } from '../../src/models/pretraining.ts'
import { accuracyTable, progressGap } from '../../src/metrics/progress.ts'
import { type ImportedAccuracy } from '../../src/results/importedAccuracies.ts'
import { madeUpRun, type WorldOptions } from '../report/figures/world.ts'

const everything = ['imagenet-1k', 'imagenet-v2', 'imagenet-sketch', 'imagenet-r', 'objectnet']
const evidenceOf = (options: WorldOptions, imported: ImportedAccuracy[] = []) =>
  progressEvidence(runView(madeUpRun(options)), imported)
const sentencesOf = (options: WorldOptions): string[] => {
  const comparison = compareProgress(evidenceOf(options))
  return comparison.lines.flatMap(line => progressSentences(comparison, line))
}

const accuraciesOf = (model: string, values: Record<string, number>): ImportedAccuracy[] =>
  Object.entries(values).map(([benchmark, accuracy]) => ({
    model,
    benchmark,
    accuracy,
    n: null,
    kind: null,
    imageSize: null,
    source: 'elsewhere.csv',
  }))

describe('compareProgress', () => {
  it('is every standard benchmark against every geographic data set, as progressGap gives them', () => {
    const evidence = evidenceOf({ models: 30, catalogue: true, standard: everything })
    const { lines, reference } = compareProgress(evidence)
    expect(reference.title).toBe('ImageNet')
    expect(lines).toHaveLength(1)
    expect(lines[0]!.pairs).toHaveLength(10)
    const pair = headlinePairs(lines[0]!).find(({ geographic }) => geographic.name === 'geode')!
    expect(pair.standard.name).toBe('ood average')
    expect(pair.gap.ratio).toBeCloseTo(
      progressGap(
        evidence.accuracies,
        { standard: pair.standard.datasets, geographic: 'geode' },
        { models: lines[0]!.models },
      ).ratio!,
      12,
    )
  })

  it('never draws one line through zero-shot and other models', () => {
    const { lines } = compareProgress(evidenceOf({ models: 12, zeroShot: 4 }))
    expect(lines.map(({ kind, models }) => [kind, models.length])).toEqual([
      ['heads', 8],
      ['zero-shot', 4],
    ])
    const few = compareProgress(evidenceOf({ models: 4, zeroShot: 3 }))
    expect(few.lines.map(({ kind, models }) => [kind, models.length])).toEqual([['zero-shot', 3]])
    const one = compareProgress(evidenceOf({ models: 2, zeroShot: 1 }))
    expect(one.lines.map(({ kind }) => kind)).toEqual(['all'])
  })

  it('takes benchmarks by name and title, and models by short names', () => {
    const evidence = evidenceOf({ models: 30, catalogue: true, standard: everything })
    const { lines } = compareProgress(evidence, {
      standard: ['ImageNet-Sketch', 'ood average'],
      geographic: ['GeoDE'],
      models: evidence.sets[0]!.models.slice(0, 5),
    })
    expect(lines[0]!.models).toHaveLength(5)
    expect(lines[0]!.pairs.map(({ standard }) => standard.name)).toEqual([
      'imagenet-sketch',
      'ood average',
    ])
    expect(() => compareProgress(evidence, { geographic: ['geod'] })).toThrow(
      /unknown data set: geod; .*geode/,
    )
    expect(() => compareProgress(evidence, { standard: ['geode'] })).toThrow('unknown data set')
    expect(() => compareProgress(evidence, { models: ['resnet'] })).toThrow('unknown model')
  })

  it('takes imported accuracies beside measured ones, which they do not replace', () => {
    const measured = evidenceOf({ models: 3 })
    const [model] = measured.sets[0]!.models
    const added = [
      ...accuraciesOf(model!, { 'imagenet-1k': 0.123, 'imagenet-r': 0.4 }),
      ...accuraciesOf('other_one', { 'imagenet-1k': 0.8, 'imagenet-r': 0.5, geode: 0.9 }),
      ...accuraciesOf('other_two', { 'imagenet-1k': 0.7, 'dollarstreet-datacomp': 0.5 }),
    ]
    const evidence = evidenceOf({ models: 3 }, added)
    expect(evidence.accuracies.get('imagenet-1k')!.get(model!)).toBe(
      measured.accuracies.get('imagenet-1k')!.get(model!),
    )
    expect(evidence.roles.standard).toContain('imagenet-r')
    expect(evidence.roles.geographic).toEqual(['dollarstreet', 'geode', 'dollarstreet-datacomp'])
    expect(evidence.sets[0]!.models).toHaveLength(5)
    expect(evidence.notes.join()).toContain('6 imported: 6 from elsewhere.csv')
    const { lines } = compareProgress(evidence, { geographic: ['geode'] })
    const pair = lines[0]!.pairs.find(({ standard }) => standard.name === 'imagenet-r')!
    expect(pair.gap.standard.models.toSorted()).toEqual([model, 'other_one'].toSorted())
  })

  it('counts clusters by family, by pretraining data, or each model for itself', () => {
    const widths = (['family', 'pretraining', 'none'] as const).map(cluster => {
      const { lines } = compareProgress(publishedEvidence(), { cluster })
      const [low, high] = lines[0]!.rates[1]!.rate.interval!
      return high - low
    })
    expect(new Set(widths.map(width => width.toFixed(6))).size).toBe(3)
  })
})

describe('progressSentences', () => {
  it('says a ratio that an interval bears', () => {
    expect(sentencesOf({ models: 98, catalogue: true })[0]).toMatch(
      /^A point on ImageNet came with 1\.\d\d points on ImageNet-Sketch and 0\.\d\d on Dollar Street: \d\.\d times \(95 % interval \d\.\d to \d\.\d; 98 models\)\.$/,
    )
  })

  it('says what cannot be told, and why', () => {
    expect(sentencesOf({ models: 1 })[0]).toMatch(/cannot be given: one model: a line needs two\.$/)
    expect(sentencesOf({ models: 2 })[0]).toMatch(
      /whether the two differ cannot be told \(two models: no standard error\)\.$/,
    )
    expect(sentencesOf({ models: 3, standard: ['imagenet-1k'] })[1]).toMatch(
      /n GeoDE it was \d\.\d\d; whether the two differ cannot be told from 3 models \(a gap of −?\d/,
    )
    expect(sentencesOf({ models: 30, catalogue: true, geographic: [] })).toEqual([
      expect.stringMatching(/\(30 models\)\. No geographic data set has accuracies/),
    ])
  })

  it('says so where the geographic data set gains faster', () => {
    const rows = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8].flatMap((x, i) => [
      { model: `${'abcdefg'[i]}_1`, benchmark: 'imagenet-1k', accuracy: x },
      { model: `${'abcdefg'[i]}_1`, benchmark: 'imagenet-v2', accuracy: 0.5 * x + 0.001 * (i % 3) },
      { model: `${'abcdefg'[i]}_1`, benchmark: 'geode', accuracy: 0.9 * x + 0.001 * (i % 2) },
    ])
    const evidence = { ...evidenceOf({ models: 7 }), accuracies: accuracyTable(rows) }
    const models = rows.slice(0).map(({ model }) => model)
    const comparison = compareProgress({
      ...evidence,
      sets: [{ kind: 'heads', models: [...new Set(models)] }],
      images: new Map(),
    })
    expect(progressSentences(comparison, comparison.lines[0]!)).toEqual([
      expect.stringMatching(/: faster on GeoDE \(a gap of −0\.\d+ points, 95 % interval −/),
    ])
  })

  it('has other words on logit axes', () => {
    const comparison = compareProgress(publishedEvidence(), { axis: 'logit' })
    expect(progressSentences(comparison, comparison.lines[1]!)[0]).toMatch(
      /^One logit on ImageNet came with 1\.\d\d on the OOD average/,
    )
  })
})

describe('findModelName', () => {
  const known = [
    'resnet50.a1_in1k',
    'resnet50.tv_in1k',
    'hub:me/mine',
    'clip:ViT-B-32/openai',
    'models/own.onnx',
  ]
  it.each([
    ['resnet50.tv_in1k', 'resnet50.tv_in1k'],
    ['mine', 'hub:me/mine'],
    ['ViT-B-32', 'clip:ViT-B-32/openai'],
    ['own', 'models/own.onnx'],
  ])('%s is %s', (name, full) => expect(findModelName(name, known)).toBe(full))

  it('takes the catalogue’s meaning of an architecture, and asks where several fit', () => {
    expect(findModelName('resnet50', known)).toBe('resnet50.a1_in1k')
    expect(() => findModelName('resnet50', ['resnet50.x', 'resnet50.y'])).toThrow(
      'resnet50 is short for 2 models with results: resnet50.x, resnet50.y',
    )
    expect(() => findModelName('resnet51', known)).toThrow('unknown model: resnet51')
  })
})

describe('findPretraining', () => {
  it.each([
    ['resnet50.a1_in1k', 'ImageNet-1k'],
    ['tresnet_m.miil_in1k', 'ImageNet-1k'],
    ['tresnet_m.miil_in21k_ft_in1k', 'ImageNet-21k'],
    ['regnety_320.seer_ft_in1k', 'Instagram-1B'],
    ['eva_giant_patch14_336.clip_ft_in1k', 'LAION-400M'],
    ['hgnetv2_b4.ssld_stage2_ft_in1k', 'ImageNet-21k'],
    ['hgnet_small.ssld_in1k', undefined],
    ['clip:PE-Core-B-16/meta', 'Perception Encoder'],
    ['clip:ViT-B-16-SigLIP2/webli', 'WebLI'],
    ['resnet50.a3_in1k:test', 'ImageNet-1k'],
    ['vit_base_patch16_224.augreg2_in21k_ft_in1k', 'ImageNet-21k'],
    ['vit_base_patch32_clip_224.laion2b_ft_in12k_in1k', 'LAION-2B'],
    ['clip:ViT-B-32-quickgelu/laion400m_e31', 'LAION-400M'],
    ['RN50/openai', 'WebImageText'],
    ['eva_giant_patch14_224.clip_ft_in1k', 'LAION-400M'],
    ['resnet50.fb_swsl_ig1b_ft_in1k', 'Instagram-1B'],
    ['my_own_model', undefined],
  ])('of %s is %s', (model, data) => expect(findPretraining(model)?.data).toBe(data))

  it('knows how many images a subset of a collection has', () => {
    const imagesOf = (model: string) => findPretraining(model)?.images
    expect(imagesOf('clip:ViT-B-32/commonpool_m_s128m_b4k')).toBe(128e6)
    expect(imagesOf('clip:ViT-B-32/datacomp_m_s128m_b4k')).toBeNull()
    expect(imagesOf('clip:ViT-B-16/dfn2b')).toBe(2e9)
    expect(imagesOf('clip:ViT-H-14-quickgelu/dfn5b')).toBe(5e9)
  })
})
