import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { benchmarks } from '../../../src/datasets/benchmarks/index.ts'
import {
  allWorks,
  bibliography,
  bibtexEntries,
  citationText,
  uncitedNames,
} from '../../../src/analysis/citing/bibliography.ts'
import { testbed } from '../../../src/models/testbed.ts'
import { describeMethods, methodsText } from '../../../src/analysis/citing/methods.ts'
import { openRun } from '../../../src/results/run.ts'
import { type Outcome, store } from '../stored.ts'

let folder: string
const outcomes: Outcome[] = Array.from({ length: 120 }, (_, i) => ({
  id: `${i}`,
  label: 'stove',
  correct: i === 5 ? null : i % 2 === 0,
  groups: { region: i < 10 ? 'Africa' : 'Europe', household: `h${i % 9}` },
}))

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-methods-'))
  await store(folder, outcomes, { dataset: 'geode', images: 130 })
  await store(folder, outcomes, { dataset: 'geode', model: 'second', prompts: 'abc' })
})

afterAll(() => rm(folder, { recursive: true, force: true }))

const citedKeys = (text: string): string[] =>
  [...text.matchAll(/\\cite\{([\w,]+)\}/g)].flatMap(([, keys]) => keys!.split(','))

it('cites every benchmark and every model of the testbed, each work once', () => {
  const cited = bibliography(
    benchmarks.map(({ name }) => name),
    testbed().map(({ model }) => model),
  )
  expect(uncitedNames(cited)).toEqual([])
  const entries = bibtexEntries(allWorks(cited))
  const keys = [...entries.matchAll(/^@\w+\{(\w+),$/gm)].map(([, key]) => key)
  expect(new Set(keys).size).toBe(keys.length)
  expect(
    entries.match(/ {2}(title|author|journal|booktitle|howpublished|year) = \{.+\},?\n/g),
  ).toHaveLength(4 * keys.length)
  const keysOf = (model: string) =>
    bibliography([], [model])
      .models.get(model)!
      .map(({ key }) => key)
  expect(keysOf('resnet50.a1_in1k')).toEqual([
    'he2016deep',
    'wightman2021resnet',
    'wightman2019timm',
  ])
  expect(keysOf('resnet50.augmix')).toEqual(['he2016deep', 'hendrycks2020augmix'])
  expect(keysOf('clip:RN50-quickgelu/openai')).toEqual([
    'radford2021learning',
    'ilharco2021openclip',
  ])
  expect(keysOf('my-model')).toEqual([])
})

it('writes a reference in words', () => {
  const { measures, datasets } = bibliography(['geode'], [])
  expect(citationText(measures)).toMatch(
    /^M\. Richards, P\. Kirichenko, .* Global Data\? International Conference .*, 2024\.$/,
  )
  expect(citationText(datasets.get('geode')!)).toContain(
    'V. V. Ramaswamy, S. Y. Lin, D. Zhao, A. B. Adcock, L. van der Maaten,',
  )
})

it('says what was done, what limits it, with every hash and a key for every citation', async () => {
  const text = describeMethods(await openRun(folder))
  expect(text.paragraph).toContain(
    'We evaluated 2 models (first, second) on geode (130 images) \\cite{ramaswamy2023geode}',
  )
  expect(text.paragraph).toContain('1 model of them was used zero-shot')
  expect(text.limitations).toEqual(
    expect.arrayContaining([
      '2 predictions could not be made and count in no accuracy.',
      '1 evaluation is not complete.',
      'On geode Africa (9) had fewer than 30 images and no part in the disparity.',
      'No standard benchmark was evaluated, so there is no progress rate.',
    ]),
  )
  const markdown = methodsText(text)
  for (const key of citedKeys(text.paragraph)) expect(markdown).toContain(`{${key},`)
  expect(markdown).toContain('No publication is known here for first, second.')
  expect(markdown).toContain(
    `- first: weights SHA-256 ${'aa'.repeat(32)}; native preprocessing, resize(256) crop(224)`,
  )
  expect(markdown).toContain(
    `- geode: 130 images, content SHA-256 ${'cc'.repeat(32)}; label map own 1; all classes`,
  )
  expect(markdown).toContain('- second on geode: texts SHA-256 abc\n')
  expect(markdown).toContain('- made by geogap 0.1.0 with onnxruntime-node 1.30.0, 20')
})

it('says nothing of empty places, and no name steers a terminal', async () => {
  const dir = join(folder, 'blank')
  const blank = outcomes.map(one => ({ ...one, groups: { region: null } }))
  await store(dir, blank, { dataset: 'geode', model: 'evil\u001b[2J' })
  const text = methodsText(describeMethods(await openRun(dir)))
  expect(text).not.toMatch(/Infinity|\u001b/)
  expect(text).not.toContain('geode has')
})

it('defines the progress rate by the benchmark that it is on, where there is one', async () => {
  const dir = join(folder, 'plain')
  await store(dir, outcomes, { dataset: 'geode' })
  expect(describeMethods(await openRun(dir)).paragraph).not.toContain('progress rate')
  const plain = outcomes.map(one => ({ ...one, groups: {} }))
  await store(dir, plain, { dataset: 'sketches', content: 'dd'.repeat(32) })
  expect(describeMethods(await openRun(dir)).paragraph).toContain(
    "line of a data set's accuracy on that on sketches, as defined",
  )
})

it('says what is to know of the data sets that the results are of, and of no other', async () => {
  const run = await openRun(folder)
  const about = {
    name: 'geode',
    hash: '',
    images: 130,
    classes: [],
    columns: [],
    labelMap: 'own',
    problems: [],
  }
  const datasets = new Map([
    [run.entries[0]!.identity.content, { ...about, notes: ['images without a region: Mars 3'] }],
    ['before', { ...about, notes: ['its content of yesterday'] }],
  ])
  const text = methodsText(describeMethods({ ...run, datasets }))
  expect(text).toContain('- geode: images without a region: Mars 3.')
  expect(text).not.toContain('yesterday')
})
