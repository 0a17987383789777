import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { betaChance, binomial } from '../../scripts/coverageWorlds.ts'
import { changeClusterings, groupChanges } from '../../src/analysis/compare.ts'
import { randomFrom } from '../../src/lib/random.ts'
import { pairedInterval } from '../../src/metrics/pairedInterval.ts'
import { joinOutcomes } from '../../src/metrics/signFlip.ts'
import { compareEvaluations } from '../../src/analysis/compareRun.ts'
import { answersText } from '../../src/cli/print/answer.ts'
import { comparisonAnswer, comparisonSentence } from '../../src/cli/print/compare.ts'
import { chooseEvaluationPairs } from '../../src/analysis/evaluationPairs.ts'
import { benjaminiHochberg, mcnemar } from '../../src/metrics/pairedTests.ts'
import { openRun } from '../../src/results/run.ts'
import { geogap } from '../helpers/cli.ts'
import { judgeEvaluations } from '../../src/analysis/gate.ts'
import { type Outcome, store } from './stored.ts'

let folder: string

/** 400 images of four countries and two classes; the first side has 3 of 4 right. */
const outcomes = (
  change: (i: number, country: string, label: string) => boolean | null | undefined,
): Outcome[] =>
  Array.from({ length: 400 }, (_, i) => {
    const country = ['Kenya', 'Ghana', 'Spain', 'Norway'][i % 4]!
    const label = i % 3 === 0 ? 'stove' : 'chair'
    const flipped = change(i, country, label)
    return {
      id: `image-${i}`,
      label,
      correct: flipped === undefined ? i % 16 < 12 : flipped,
      groups: { region: i % 4 < 2 ? 'Africa' : 'Europe', country, income: 10 + (i % 50) },
    }
  })

const before = outcomes(() => undefined)
/** Ghana loses half its stoves that were right; two of Norway's are won; one image fails. */
const after = outcomes((i, country, label) => {
  if (i === 7) return null
  if (country === 'Ghana' && label === 'stove' && i % 2 === 1)
    return i % 8 === 1 ? undefined : false
  return country === 'Norway' && i < 32 ? true : undefined
})

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-compare-'))
  await store(join(folder, 'a'), before)
  await store(join(folder, 'b'), after)
  await store(join(folder, 'both'), before)
  await store(join(folder, 'both'), after.slice(0, 360), {
    model: 'second',
    content: 'dd'.repeat(32),
  })
})

afterAll(() => rm(folder, { recursive: true, force: true }))

/** What the outcomes say, counted without SQL. */
function counted(of: (outcome: Outcome) => boolean): { gained: number; lost: number; n: number } {
  let [gained, lost, n] = [0, 0, 0]
  for (const [i, one] of before.entries()) {
    const other = after[i]!.correct
    if (one.correct === null || other === null || !of(one)) continue
    n++
    if (other && !one.correct) gained++
    if (!other && one.correct) lost++
  }
  return { gained, lost, n }
}

describe('compare', () => {
  it('counts flips per group as a plain loop over the images does, and tests them together', async () => {
    const [sides] = await chooseEvaluationPairs(join(folder, 'a'), join(folder, 'b'))
    const comparison = await compareEvaluations(sides!, { minN: 1 })
    const of = (by: string, group: string) =>
      comparison.rows.find(row => row.by === by && row.group === group)!
    expect(of('overall', 'all')).toMatchObject(counted(() => true))
    expect(of('country', 'Ghana')).toMatchObject(
      counted(({ groups }) => groups.country === 'Ghana'),
    )
    expect(of('region', 'Europe')).toMatchObject(
      counted(({ groups }) => groups.region === 'Europe'),
    )
    expect(of('label', 'stove')).toMatchObject(counted(({ label }) => label === 'stove'))
    expect(of('country', 'Ghana').mostly).toBe('stove')
    const groups = comparison.rows.filter(({ by }) => by !== 'overall')
    expect(comparison.tested).toBe(2 + 4 + 4 + 2)
    expect(groups.map(({ adjusted }) => adjusted)).toEqual(
      benjaminiHochberg(groups.map(({ p }) => p)),
    )
    const { gained, lost, n } = of('country', 'Ghana')
    expect(of('country', 'Ghana').p).toBe(
      mcnemar({ both: n - gained! - lost!, neither: 0, onlyFirst: lost!, onlySecond: gained! }).p,
    )
    expect(
      groups.filter(({ by }) => by === 'income').map(({ group }) => group.slice(0, 2)),
    ).toEqual(expect.arrayContaining(['Q1', 'Q2', 'Q3', 'Q4']))
    expect(comparison.coverage).toMatchObject({ common: 400, onlyFirst: 0, unscoredSecond: 1 })
  })

  it('cuts incomes into the quarters of tables, also where some images have no outcome', async () => {
    const dir = join(folder, 'incomes')
    const priced = before.map((one, i) => ({
      ...one,
      correct: i % 50 < 20 && i > 100 ? null : one.correct,
      groups: { ...one.groups, income: 10 + (i % 50) * (1 + (i % 7)) },
    }))
    await store(join(dir, 'a'), priced)
    await store(join(dir, 'b'), priced)
    const [pair] = await chooseEvaluationPairs(join(dir, 'a'), join(dir, 'b'))
    const { rows } = await compareEvaluations(pair!, { by: ['income'], minN: 1 })
    const run = await openRun(join(dir, 'a'))
    const table = run.accuracy({ by: 'income_group' })
    expect(
      rows
        .slice(1)
        .map(({ group, n }) => `${group} ${n}`)
        .sort(),
    ).toEqual(table.map(({ group, n }) => `${group} ${n}`).sort())
  })

  it('says what changed in one sentence, and that nothing did', async () => {
    const [sides] = await chooseEvaluationPairs(join(folder, 'a'), join(folder, 'b'))
    const sentence = comparisonSentence(await compareEvaluations(sides!))
    expect(sentence).toMatch(
      /^overall −1\.5 points, not shown to be a change \(p = 0\.11, 95 % interval −3\.5 to \+0\.1\); Ghana −8\.0 \(n = \d+, p [=<] 0\.0\d+\), mostly stove; Africa/,
    )
    const [same] = await chooseEvaluationPairs(join(folder, 'a'), join(folder, 'a'), {
      models: ['first'],
    }).catch(() => [undefined])
    expect(same).toBeUndefined()
    const quiet = groupChanges(new Map([['label', quietCells]]), 30, quietCells)
    expect(comparisonSentence({ ...(await compareEvaluations(sides!)), ...quiet })).toBe(
      'overall 0.0 points, not shown to be a change (p = 1.00, 95 % interval −9.2 to +9.2); a change is not shown in the one group',
    )
    expect(quiet.leftOut).toEqual([{ by: 'label', group: 'chair', n: 12 }])
  })

  it('compares two models on the images that both have, and says which those are', async () => {
    const [sides] = await chooseEvaluationPairs(join(folder, 'both'))
    const text = answersText(
      [comparisonAnswer(await compareEvaluations(sides!, { by: ['region'] }), [])],
      'markdown',
    )
    expect(text).toMatch(/^\*\*overall −/)
    expect(text).toContain(
      '360 images in common; 40 images only on the first and 0 images only on the second side',
    )
    expect(text).toContain('first = first, second = second')
    await expect(compareEvaluations(sides!, { by: ['planet'] })).rejects.toThrow(
      /unknown column: planet; nearest: /,
    )
  })

  it('says how many images changed class or group between the two sides', async () => {
    const changed = before.map((outcome, i) => ({
      ...outcome,
      ...(i < 7 && { labels: [1] }),
      ...(i > 9 && i < 13 && { groups: { ...outcome.groups, region: 'elsewhere' } }),
    }))
    await store(join(folder, 'changed'), changed, { content: 'dd'.repeat(32) })
    const [sides] = await chooseEvaluationPairs(join(folder, 'a'), join(folder, 'changed'))
    const relabelled =
      '7 images in common have another class on the second side, so a change may come from the labels and not from the model.'
    const regrouped =
      '3 images in common are in another group on the second side; groups are those of the first side.'
    const { notes } = await compareEvaluations(sides!, { by: ['region'] })
    expect(notes).toEqual([relabelled, regrouped])
    expect((await compareEvaluations(sides!, { by: ['label'] })).notes).toEqual([relabelled])
    const judged = await judgeEvaluations(join(folder, 'changed'), { baseline: join(folder, 'a') })
    expect(judged.notes).toEqual([`first on world: ${relabelled}`, `first on world: ${regrouped}`])
  })

  it('says in the gate too that the two sides accept different classes', async () => {
    await store(join(folder, 'classes'), before, { labelMap: 'own 2' })
    const { notes } = await judgeEvaluations(join(folder, 'classes'), {
      baseline: join(folder, 'a'),
    })
    expect(notes).toEqual([
      expect.stringMatching(/^first on world: The two sides accept different/),
    ])
  })

  it('names the data sets that one side lacks', async () => {
    await store(join(folder, 'more'), before)
    await store(join(folder, 'more'), before, { dataset: 'other' })
    const [sides, ...others] = await chooseEvaluationPairs(join(folder, 'a'), join(folder, 'more'))
    expect(others).toEqual([])
    expect((await compareEvaluations(sides!)).notes).toEqual([
      'Only on the second side and not compared: first on other (native).',
    ])
  })

  it('tests households, not images, where the data set names them', async () => {
    const homes = (lost: boolean): Outcome[] =>
      Array.from({ length: 120 }, (_, i) => ({
        id: `${i}`,
        label: 'stove',
        correct: !(lost && i < 12),
        groups: { region: 'Africa', household: i < 6 ? 'one' : i < 12 ? 'two' : `home ${i}` },
      }))
    await store(join(folder, 'home'), homes(false))
    await store(join(folder, 'moved'), homes(true))
    const [sides] = await chooseEvaluationPairs(join(folder, 'home'), join(folder, 'moved'))
    const comparison = await compareEvaluations(sides!)
    expect(comparison.rows[0]).toMatchObject({ lost: 12, p: 0.5 })
    expect(comparison.households).toBe(110)
    expect(answersText([comparisonAnswer(comparison, [])], 'text')).toContain(
      'exact sign-flip test in which the images of one household change together (110 households;',
    )
  })

  it.each([3, 5, 10])('intervals of four regions of %d households hold', households => {
    const random = randomFrom(12)
    const [samples, lost, gained, rho] = [400, 0.1, 0.3, 0.3]
    let [covered, known] = [0, 0]
    for (let sample = 0; sample < samples; sample++) {
      const cells = Array.from({ length: 4 * households }, (_, i) => {
        const size = Math.round(40 ** random())
        const any = betaChance(lost + gained, rho, random)
        const down = any * betaChance(lost / (lost + gained), rho, random)
        const onlyFirst = binomial(size, down, random)
        const onlySecond = binomial(size - onlyFirst, (any - down) / (1 - down), random)
        const both = size - onlyFirst - onlySecond
        const names = { group: `${i % 4}`, label: '', cluster: `${i}` }
        return { ...names, both, onlyFirst, onlySecond, neither: 0 }
      })
      const { inflation, reason } = changeClusterings(cells).get('0')!
      if (reason !== null) continue
      known++
      const counts = joinOutcomes(cells.filter(({ group }) => group === '0'))
      const [low, high] = pairedInterval(counts, 0.95, inflation)!
      if (low <= gained - lost && gained - lost <= high) covered++
    }
    expect(known).toBeGreaterThan(samples / 5)
    expect(covered / known).toBeGreaterThan(0.94)
  })

  it('refuses a choice that it would have to guess', async () => {
    await expect(chooseEvaluationPairs(join(folder, 'a'))).rejects.toThrow(
      'choose with --models FIRST,SECOND; there are first',
    )
    await expect(
      chooseEvaluationPairs(join(folder, 'both'), undefined, { models: ['first', 'third'] }),
    ).rejects.toThrow('unknown model: third; nearest: ')
  })
})

const quietCells = [
  { group: 'stove', label: 'stove', both: 30, onlyFirst: 2, onlySecond: 2, neither: 10 },
  { group: 'chair', label: 'chair', both: 12, onlyFirst: 0, onlySecond: 0, neither: 0 },
]

it('geogap compare writes the sentence, the table and the flipped images', async () => {
  const file = join(folder, 'flips.csv')
  const { code, stdout, stderr } = await geogap([
    ...['compare', join(folder, 'a'), join(folder, 'b')],
    ...['--format', 'markdown', '--flips', file],
  ])
  expect({ code, stderr }).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/^\d+ flipped images in /) as string,
  })
  expect(stdout).toMatch(/^\*\*overall −[\s\S]+\| country +\| Ghana/)
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n')
  const { gained, lost } = counted(() => true)
  expect(lines).toHaveLength(1 + gained + lost)
  expect(lines[0]).toBe(
    'dataset,preprocessing,id,label,change,first,first_probability,second,second_probability,region,country,income',
  )
  expect(lines.filter(line => line.includes(',lost,'))).toHaveLength(lost)
}, 60_000)
