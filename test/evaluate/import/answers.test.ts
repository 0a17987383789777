import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, test } from 'vitest'
import { rm } from 'node:fs/promises'
import { openDataset } from '../../../src/datasets/open.ts'
import { readTable } from '../../../src/datasets/readTable.ts'
import { imagenetClasses } from '../../../src/datasets/labels/imagenet.ts'
import {
  answerSummaryText,
  answerWords,
  createAnswerReader,
  readAliases,
} from '../../../src/evaluate/import/answers.ts'
import { coverageText, importPredictions } from '../../../src/evaluate/import/predictions.ts'
import { openRun } from '../../../src/results/run.ts'

const classes = ['armchair', 'hand soap', 'soap', 'cups', 'café', 'books']
const read = createAnswerReader({ classes, choices: 'all', labelSpace: 'own' })

test.each([
  ['A pair of Cups!', ['pair', 'of', 'cup']],
  ['the_dishes and boxes, ladies', ['dish', 'and', 'box', 'lady']],
  ['Café’s glass', ['cafe', 'glass']],
  ['椅子 é', ['椅子', 'e']],
])('%j has the words %j', (text, words) => {
  expect(answerWords(text)).toEqual(words)
})

describe('an answer', () => {
  it.each([
    ['armchair', 'exact', [0]],
    ['An armchair.', 'exact', [0]],
    ['It is an armchair', 'exact', 'none'],
    ['It is an armchair with books', 'first-mention', [0]],
    ['Books on an armchair', 'first-mention', [5]],
    ['hand_soap', 'first-mention', [1]],
    ['liquid hand soap in a cup', 'first-mention', [1]],
    ['soap', 'first-mention', [2]],
    ['A cup of coffee', 'first-mention', [3]],
    ['CAFE', 'exact', [4]],
    ['handsoap', 'first-mention', 'none'],
    ["I'm sorry, I cannot tell what this is.", 'first-mention', 'refusal'],
    ["Sorry, I'm not sure, perhaps an armchair", 'first-mention', [0]],
    ["Sorry, I'm not sure, perhaps an armchair", 'exact', 'refusal'],
    ['', 'first-mention', 'refusal'],
    ['N/A', 'exact', 'refusal'],
    ['constructor', 'first-mention', 'none'],
  ] as const)('%j is by %s %j', (answer, protocol, expected) => {
    expect(read(answer, protocol)).toEqual(expected)
  })

  it('may name several classes, and only those that compete', () => {
    const twice = createAnswerReader({
      classes: ['crane', 'cranes'],
      choices: 'all',
      labelSpace: 'own',
    })
    expect(twice('a crane', 'exact')).toEqual([0, 1])
    const masked = createAnswerReader({ classes, choices: [1, 2], labelSpace: 'own' })
    expect(masked('armchair and soap', 'first-mention')).toEqual([2])
  })

  it('may have a synonym of ImageNet or an alias', () => {
    const names = imagenetClasses.map(({ name }) => name)
    const imagenet = createAnswerReader({
      classes: names,
      choices: 'all',
      labelSpace: 'imagenet-1k',
    })
    const index = imagenetClasses.findIndex(({ wnid }) => wnid === 'n02123045')
    expect(imagenet('tabby cat', 'exact')).toEqual([index])
    const table = {
      columns: ['class', 'alias'],
      rows: [{ class: 'armchair', alias: 'easy chair' }],
    }
    const aliases = readAliases(table, classes)
    const own = createAnswerReader({ classes, choices: 'all', labelSpace: 'own' }, aliases)
    expect(own('Two easy chairs', 'first-mention')).toEqual([0])
    expect(() => readAliases({ columns: ['class', 'name'], rows: [] }, classes)).toThrow(
      /columns class and alias/,
    )
    expect(() =>
      readAliases({ ...table, rows: [{ class: 'armchar', alias: 'x' }] }, classes),
    ).toThrow(/armchair/)
  })

  it('is refused with class names without a word', () => {
    expect(() =>
      createAnswerReader({ classes: ['--'], choices: 'all', labelSpace: 'own' }),
    ).toThrow(/"--"/)
  })
})

test('answers are stored as predictions: refusals are no predictions, and of a wrong answer the first five are not known', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'geogap-answers-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const rows = ['a', 'b', 'c', 'd', 'e', 'f'].map(
    (id, i) => `${id},${id}.jpg,${i % 2 ? 'soap' : 'books'},${i < 3 ? 'Africa' : 'Europe'}`,
  )
  await writeFile(join(folder, 'images.csv'), `id,image,label,region\n${rows.join('\n')}\n`)
  const answers = ['books', 'Some soap.', 'a chair', 'It is soap', 'I cannot say', 'books and soap']
  const lines = answers.map((answer, i) => `${'abcdef'[i]!},"${answer}"`)
  await writeFile(join(folder, 'answers.csv'), `id,answer\n${lines.join('\n')}\n`)
  const dataset = await openDataset({ name: join(folder, 'images.csv'), labels: 'original' })
  const out = join(folder, 'results')
  const report = await importPredictions(dataset, await readTable(join(folder, 'answers.csv')), {
    file: join(folder, 'answers.csv'),
    model: 'vlm',
    preprocessing: 'native',
    partial: false,
    protocol: 'first-mention',
    out,
  })
  expect(coverageText(report)).toBe(
    '6 of 6 images covered, 0 missing, 0 unknown; 6 answers scored by first-mention: 3 right, 1 another class, 1 no class, 1 refusal; ' +
      '60.0 % of the images that were answered, 50.0 % if a refusal counts as wrong; by exact 20.0 %, and both protocols agree whether it is right for 66.7 %',
  )
  const run = await openRun(out)
  expect(
    run
      .accuracy({ by: 'region' })
      .map(({ group, n, errors, top1, top5 }) => [group, n, errors, top1, top5]),
  ).toEqual([
    ['Africa', 3, 0, 2 / 3, null],
    ['Europe', 2, 1, 1 / 2, null],
  ])
  expect(run.entries[0]!.identity).toMatchObject({ source: 'answers', prompts: 'imported' })
  expect(run.entries[0]!.identity.steps).toMatch(
    /^answers by first-mention from answers\.csv, SHA-256 /,
  )
})

test('a summary of no answer has no share', () => {
  const zero = { right: 0, wrong: 0, none: 0, refusal: 0 }
  const text = answerSummaryText({
    protocol: 'exact',
    counts: { exact: zero, 'first-mention': zero },
    agreeing: 0,
    answers: 0,
  })
  expect(text).toContain('– of the images that were answered')
})
