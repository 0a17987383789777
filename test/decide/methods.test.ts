import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { methods, methodsText } from '../../src/decide/methods.ts'
import { openRun } from '../../src/run.ts'
import { type Outcome, store } from './stored.ts'

let folder: string
const outcomes: Outcome[] = Array.from({ length: 120 }, (_, i) => ({
  ...{ id: `${i}`, label: 'stove', correct: i === 5 ? null : i % 2 === 0 },
  groups: { region: i < 10 ? 'Africa' : 'Europe', household: `h${i % 9}` },
}))

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-methods-'))
  await store(folder, outcomes, { dataset: 'geode', images: 130 })
  await store(folder, outcomes, { dataset: 'geode', model: 'second', prompts: 'abc' })
})

afterAll(() => rm(folder, { recursive: true, force: true }))

it('says what was done, what limits it, with every hash and a key for every citation', async () => {
  const text = methods(await openRun(folder))
  expect(text.paragraph).toContain('We evaluated 2 models on geode (130 images) \\cite{ramaswamy2023geode}')
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
  for (const [, key] of text.paragraph.matchAll(/\\cite\{(\w+)\}/g)) expect(markdown).toContain(`{${key!},`)
  expect(markdown).toContain(`weights SHA-256 ${'aa'.repeat(32)}; content SHA-256 ${'cc'.repeat(32)}`)
})
