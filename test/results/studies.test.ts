import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { writeJson } from '../../src/results/records.ts'
import { readStudies, readStudy, recordStudy, type StudyValues } from '../../src/results/studies.ts'

let folder: string
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'geogap-studies-'))))
afterAll(() => rm(folder, { recursive: true, force: true }))

const rows = (value: number): StudyValues[] => [
  { setting: 1, metric: 'homes accuracy', values: [value] },
]
const read = async (dir: string) =>
  ((await readStudy(dir, 'last-layer')) ?? []).map(({ model, values }) => [model, values[0]])

it('experiments that end at once lose no model, also of names that are alike as files', async () => {
  const models = ['a/b', 'a_b', 'A_B', 'm.json', 'm']
  await Promise.all(
    models.map((model, i) => recordStudy(folder, { study: 'last-layer', model }, rows(i))),
  )
  await recordStudy(folder, { study: 'last-layer', model: 'm' }, rows(9))
  expect(new Map((await read(folder)) as [string, number][])).toEqual(
    new Map(models.map((model, i) => [model, model === 'm' ? 9 : i])),
  )
  expect([...(await readStudies(folder)).keys()]).toEqual(['last-layer'])
})

it('a file of all models counts for those without one of their own', async () => {
  const dir = join(folder, 'old')
  const old = ['m', 'n'].flatMap(model => rows(0.1).map(row => ({ model, ...row })))
  await writeJson(join(dir, 'studies', 'last-layer.json'), {
    schema: 1,
    rows: [...old, ...rows(0.2)],
  })
  expect(await read(dir)).toEqual([['m', 0.1], ['n', 0.1], [undefined, 0.2]]) // prettier-ignore
  await recordStudy(dir, { study: 'last-layer', model: 'm' }, rows(0.3))
  expect(await read(dir)).toEqual([['m', 0.3], ['n', 0.1]]) // prettier-ignore
  expect(await readStudy(dir, 'western-share')).toBeNull()
})
