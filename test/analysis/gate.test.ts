import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { judgeDisparities, judgeDrops, judgeWorst } from '../../src/analysis/gateChecks.ts'
import { judgeEvaluations } from '../../src/analysis/gate.ts'
import { answersText } from '../../src/cli/print/answer.ts'
import { gateAnswer, gateJunit, gateSentence } from '../../src/cli/print/gate.ts'
import { isChangeBelow, pairedInterval } from '../../src/metrics/pairedInterval.ts'
import { randomFrom } from '../../src/lib/random.ts'
import { geogap } from '../helpers/cli.ts'
import { drawCountries, drawHouseholdCountries } from './gateWorld.ts'
import { type Outcome, store } from './stored.ts'
import { long, measured, scaled } from '../helpers/torture.ts'

describe('60 countries of 100 to 1,000 images, simulated pairs of runs in which images flip both ways', () => {
  it('without a change fails in at most 5 %, no drop allowed, 1 % of the images flipping each way', () => {
    const random = randomFrom(11)
    const runs = long ? 2000 : 500
    let failed = 0
    for (let i = 0; i < runs; i++)
      if (judgeDrops(drawCountries(0.01, 0, random), 0).some(({ verdict }) => verdict === 'broken'))
        failed++
    expect(failed / runs).toBeLessThanOrEqual(0.05)
  })

  it('with a drop of 5 points in one country of 400 images fails in at least 80 %, two points allowed, 1 %', () => {
    const random = randomFrom(12)
    const runs = 2000
    let failed = 0
    for (let i = 0; i < runs; i++)
      if (judgeDrops(drawCountries(0.01, 0.05, random), 0.02)[0]!.verdict === 'broken') failed++
    expect(failed / runs).toBeGreaterThanOrEqual(0.8)
  })
})

it('without a change fails in at most 5 % where the photographs of a household flip together', () => {
  const random = randomFrom(13)
  const worlds = scaled(60, 1000)
  let [failed, blind] = [0, 0]
  for (let i = 0; i < worlds; i++) {
    const countries = drawHouseholdCountries(random)
    const fails = (groups: Parameters<typeof judgeDrops>[0]): number =>
      Number(judgeDrops(groups, 0).some(({ verdict }) => verdict === 'broken'))
    failed += fails(countries)
    blind += fails(
      countries.map(({ counts: { both, onlyFirst, onlySecond, neither }, ...country }) => ({
        ...country,
        counts: { both, onlyFirst, onlySecond, neither },
      })),
    )
  }
  measured(
    `gate without a change, by household: ${failed} of ${worlds} fail; as if images were independent: ${blind}`,
  )
  expect(failed / worlds).toBeLessThanOrEqual(0.05)
  expect(blind / worlds).toBeGreaterThan(0.2)
})

const subject = { model: 'm', dataset: 'd', group: 'g' }

describe('judging', () => {
  it('breaks on the bound of a drop, not on the drop', () => {
    const [few, many] = judgeDrops(
      [
        { ...subject, counts: { both: 94, onlyFirst: 6, onlySecond: 2, neither: 20 } },
        { ...subject, counts: { both: 940, onlyFirst: 60, onlySecond: 20, neither: 200 } },
      ],
      0.01,
    )
    expect(few).toMatchObject({ verdict: 'undecided', value: 4 / 122 })
    expect(many!.verdict).toBe('broken')
    expect(many!.bound).toBeGreaterThan(0.01)
    expect(many!.bound).toBeLessThan(many!.value)
  })

  it('leaves a drop alone that is certain, and certainly less than what is allowed', () => {
    const counts = { both: 1800, onlyFirst: 80, onlySecond: 20, neither: 100 }
    const verdicts = [0, 0.05].map(
      allowed => judgeDrops([{ ...subject, counts }], allowed)[0]!.verdict,
    )
    expect(verdicts).toEqual(['broken', 'holds'])
  })

  it('knows without a search which changes are above the interval', () => {
    const options = { confidence: 0.9, inflation: 1.5 }
    for (const [onlyFirst, onlySecond] of [
      [6, 2],
      [0, 3],
      [40, 0],
      [9, 9],
    ] as const) {
      const counts = { both: 80, onlyFirst, onlySecond, neither: 20 }
      const [, high] = pairedInterval(counts, options.confidence, options.inflation)!
      for (const [step, isBelow] of [
        [-1e-9, false],
        [1e-9, true],
      ] as const)
        expect(isChangeBelow(counts, high + step, options)).toBe(isBelow)
    }
  })

  it('tells an accuracy that is shown to be too low from one that may be', () => {
    const of = (n: number, top1: number) => ({ ...subject, counts: { n, top1 } })
    expect(
      judgeWorst([of(1000, 520), of(100, 57), of(1000, 700)], 0.6).map(({ verdict }) => verdict),
    ).toEqual(['broken', 'undecided', 'holds'])
  })

  it('judges a disparity by the lower end of its interval', () => {
    const groups = (top1: number) => [
      { group: 'a', n: 1000, top1: 800 },
      { group: 'b', n: 1000, top1 },
    ]
    const of = (top1: number) =>
      judgeDisparities([{ ...subject, groups: groups(top1) }], 0.1, { minN: 100 })[0]!
    expect(of(600)).toMatchObject({ verdict: 'broken', group: 'a − b' })
    expect(of(690).verdict).toBe('undecided')
    expect(of(790).verdict).toBe('holds')
  })
})

describe('gate', () => {
  let folder: string
  const outcomes = (lost: number, n = 1200): Outcome[] =>
    Array.from({ length: n }, (_, i) => {
      const country = ['Kenya', 'Ghana & "Co"', 'Spain'][i % 3]!
      const right = i % 10 < 7
      const correct = right && !(country === 'Spain' && i < lost)
      return {
        id: `${i}`,
        label: 'stove',
        correct,
        groups: { country, region: i < 60 ? 'Small' : 'Large' },
      }
    })

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'geogap-gate-'))
    await store(join(folder, 'before'), outcomes(0))
    await store(join(folder, 'after'), outcomes(150))
  })

  afterAll(() => rm(folder, { recursive: true, force: true }))

  it('finds the country that lost, and takes a limit that nothing breaks', async () => {
    const found = await judgeEvaluations(join(folder, 'after'), {
      baseline: join(folder, 'before'),
      by: 'country',
    })
    expect(found.passed).toBe(false)
    expect(
      found.checks.filter(({ verdict }) => verdict === 'broken').map(({ group }) => group),
    ).toEqual(['all images', 'Spain'])
    expect(gateSentence(found)).toMatch(
      /^gate failed: .*Spain \(first on world\): drop of 8\.8 points, at least 6\.\d/,
    )
    const same = await judgeEvaluations(join(folder, 'before'), {
      baseline: join(folder, 'before'),
      by: 'country',
      minWorst: 0.5,
    })
    expect(same.passed).toBe(true)
    expect(same.checks.every(({ verdict }) => verdict === 'holds')).toBe(true)
    expect(answersText([gateAnswer(same)], 'markdown')).toMatch(
      /^\*\*gate passed: 7 of 7 checks decided, none broken\*\*/,
    )
  })

  it('lists groups that are too small, and judges nothing silently', async () => {
    const found = await judgeEvaluations(join(folder, 'after'), { minN: 100, minWorst: 0.5 })
    expect(found.leftOut).toEqual([{ model: 'first', dataset: 'world', group: 'Small', n: 60 }])
    await expect(judgeEvaluations(join(folder, 'after'), {})).rejects.toThrow(
      'nothing to judge: give --baseline',
    )
    await expect(
      judgeEvaluations(join(folder, 'after'), { minWorst: 0.5, minN: 5000 }),
    ).rejects.toThrow('nothing to judge: no two')
    await expect(
      judgeEvaluations(join(folder, 'after'), { minWorst: 0.5, by: 'planet' }),
    ).rejects.toThrow('unknown column: planet')
    await expect(judgeEvaluations(join(folder, 'after'), { maxDrop: 0.1 })).rejects.toThrow(
      'give --baseline',
    )
  })

  it('says what only one of the two runs has', async () => {
    const [wide, narrow] = [join(folder, 'wide'), join(folder, 'narrow')]
    for (const dataset of ['world', 'other']) await store(wide, outcomes(0), { dataset })
    await store(wide, outcomes(0), { model: 'gone' })
    await store(narrow, outcomes(0))
    await store(narrow, outcomes(0), { model: 'new' })
    const { notes, passed } = await judgeEvaluations(narrow, { baseline: wide, by: 'country' })
    expect(passed).toBe(true)
    expect(notes).toEqual([
      'Not in the baseline and not judged against it: new.',
      'Only in the baseline and not judged: gone.',
      'Only in the baseline and not compared: first on other (native).',
    ])
  })

  it('names evaluations and groups that a limit cannot speak of', async () => {
    const dir = join(folder, 'mixed')
    const failed = outcomes(0).map((one, i) => (i < 60 ? { ...one, correct: null } : one))
    await store(dir, failed)
    await store(dir, outcomes(0).map(one => ({ ...one, groups: {} })), { dataset: 'plain' }) // prettier-ignore
    const { notes, leftOut, checks } = await judgeEvaluations(dir, {
      maxDisparity: 0.1,
      minWorst: 0.1,
      minN: 0,
    })
    expect(checks.map(({ dataset, group }) => [dataset, group])).toEqual([['world', 'Large']])
    expect(leftOut).toEqual([{ model: 'first', dataset: 'world', group: 'Small', n: 0 }])
    expect(notes).toEqual([
      'world has one group by region of at least 0 images with an outcome: no disparity is judged there (first).',
      'plain has no group by region of at least 0 images with an outcome: no accuracy or disparity is judged there (first).',
    ])
    await expect(judgeEvaluations(dir, { maxDisparity: 0.1 })).rejects.toThrow('nothing to judge')
    const few = outcomes(0).map((one, i) =>
      i < 40 ? { ...one, groups: { country: 'Togo' } } : one,
    )
    await store(join(folder, 'few'), few)
    const { leftOut: small } = await judgeEvaluations(join(folder, 'few'), {
      maxDisparity: 0.5,
      by: 'country',
      minN: 100,
    })
    expect(small).toEqual([{ model: 'first', dataset: 'world', group: 'Togo', n: 40 }])
  })

  it('exits with 4 and writes a JUnit file', async () => {
    const file = join(folder, 'gate.xml')
    const { code, stdout } = await geogap([
      ...[
        'gate',
        join(folder, 'after'),
        '--baseline',
        join(folder, 'before'),
        '--by',
        'country',
        '--junit',
        file,
      ],
    ])
    expect(code).toBe(4)
    expect(stdout).toMatch(/^gate failed: /)
    const xml = await readFile(file, 'utf8')
    expect(xml).toBe(
      gateJunit(
        await judgeEvaluations(join(folder, 'after'), {
          baseline: join(folder, 'before'),
          by: 'country',
        }),
      ),
    )
    expect(xml).toContain('<testsuites name="geogap gate" tests="4" failures="2" errors="0">')
    expect(xml).toContain('name="Ghana &#38; &#34;Co&#34;"')
    expect((await geogap(['gate', join(folder, 'after'), '--min-worst', '60'])).stderr).toContain(
      '0.02 is two points',
    )
  }, 60_000)
})
