import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  architectureOfCase,
  caseDigest,
  checkCase,
  readGoldenFile,
} from '../../../scripts/conformanceCase.ts'
import { readExpectedCases } from '../../../scripts/expectedCase.ts'
import { shared, sharedPath } from '../../helpers/shared.ts'
import { long } from '../../helpers/torture.ts'

const readCase = (model: string) => readGoldenFile(sharedPath(`golden/models/${model}.json`))

/** `regnetx` of `regnetx_002`, `clip_RN` of `clip_RN50-quickgelu`. */
const kindOf = (model: string): string => /^(clip_)?[a-z]+/i.exec(model)![0]

/** Parameters of what is checked here: a larger model takes seconds, then gigabytes of disk; `npm run conformance` checks all. */
const largest = long ? 4e8 : 1e8

const files = shared ? readdirSync(sharedPath('golden/models')) : []
const cases = files.map(file => {
  const golden = readCase(file.replace(/\.json$/, ''))
  const { model, params } = golden
  return { model, params, kind: kindOf(model), known: architectureOfCase(golden) !== undefined }
})
const smallest = cases.filter(
  ({ kind, params }) =>
    params < largest && !cases.some(other => other.kind === kind && other.params < params),
)

/** The digests of the cases that were checked in the long form. */
const checked = JSON.parse(
  readFileSync(new URL('checkedCases.json', import.meta.url), 'utf8'),
) as Record<string, string>

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-families-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('the smallest model of every family, against kept outputs of its reference library', () => {
  const expected = readExpectedCases(new URL('expected.jsonl', import.meta.url))
  // In the short form, the golden files below ask more of the models that both have.
  const wanted = expected.filter(({ model }) => long || !smallest.some(one => one.model === model))
  const digests: Record<string, string> = {}
  // Inference takes half a minute: the short form leaves out what was checked before.
  it.each(wanted)('$model', async golden => {
    const digest = await caseDigest(golden, folder)
    const known = !long && digest === checked[golden.model]
    const worst = known ? 0 : (await checkCase(golden, folder)).worst
    expect(worst).toBeLessThan(1e-4)
    digests[golden.model] = digest
  })

  it.runIf(long)('have kept digests (GEOGAP_LONG=1 npx vitest run -u writes them)', async () => {
    const text = `${JSON.stringify(digests, undefined, 2)}\n`
    await expect(text).toMatchFileSnapshot('checkedCases.json')
  })
})

describe('models at another size than their weights’, against kept outputs of timm', () => {
  it.each(readExpectedCases(new URL('expectedSizes.jsonl', import.meta.url)))(
    '$model at $input.size',
    async golden => {
      const { worst } = await checkCase(golden, folder)
      expect(worst).toBeLessThan(1e-4)
    },
  )
})

describe.skipIf(!shared)('the smallest model of every kind, against its reference library', () => {
  it('has an architecture for every golden case', () => {
    expect(cases.filter(({ known }) => !known).map(({ model }) => model)).toEqual([])
  })

  it.each(smallest)('$model', async ({ model }) => {
    const { worst } = await checkCase(readCase(model), folder)
    expect(worst).toBeLessThan(2e-5)
  })
})
