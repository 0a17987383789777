import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readPack, writePack } from '../../src/analysis/pack.ts'
import { type ModelMeasures, measureStandings } from '../../src/analysis/standing.ts'
import { standingFigure } from '../../src/report/figures/standingFigure.ts'
import { runStandings } from '../../src/analysis/standingRun.ts'
import { answersText } from '../../src/cli/print/answer.ts'
import { standingsAnswer } from '../../src/cli/print/standing.ts'
import { readReference } from '../../src/analysis/standingRun.ts'
import { tQuantile } from '../../src/metrics/distributions.ts'
import { openRun } from '../../src/results/run.ts'
import { geogap } from '../helpers/cli.ts'
import { type Outcome, store } from './stored.ts'

/**
 * Residual and half width of a left-out model from the fit of all models: with leverage h of its row in the hat matrix,
 * e / (1 - h) and t s₍ᵢ₎ / √(1 - h), where s₍ᵢ₎ comes of the residuals by Cook and Weisberg's formula (no second fit).
 */
function leftOut(
  points: readonly (readonly [x: number, y: number])[],
  i: number,
): { residual: number; half: number } {
  const n = points.length
  const total = (of: (x: number, y: number) => number): number =>
    points.reduce((sum, [x, y]) => sum + of(x, y), 0)
  const [sx, sxx] = [total(x => x), total(x => x * x)]
  const determinant = n * sxx - sx * sx
  const slope = (n * total((x, y) => x * y) - sx * total((_, y) => y)) / determinant
  const intercept = (total((_, y) => y) - slope * sx) / n
  const [x, y] = points[i]!
  const h = (sxx - 2 * x * sx + n * x * x) / determinant
  const e = y - intercept - slope * x
  const squares = total((a, b) => (b - intercept - slope * a) ** 2) - (e * e) / (1 - h)
  return {
    residual: e / (1 - h),
    half: tQuantile(0.975, n - 3) * Math.sqrt(squares / (n - 3) / (1 - h)),
  }
}

describe('place', async () => {
  const { models, benchmark } = await readReference('published', 30)
  const ten = models.filter((_, i) => i % 9 === 2).slice(0, 10)

  it.each(ten.map(({ model }) => model))('%s is placed as a direct computation places it', name => {
    const own = models.find(({ model }) => model === name)!
    const placements = measureStandings(own, models, benchmark)
    expect(placements.length).toBeGreaterThanOrEqual(4)
    for (const { measure, residual, interval, expected, models: count } of placements) {
      const others = models.filter(({ kind, values }) => kind === own.kind && values.has(measure))
      const points = others.map(
        ({ values }) => [values.get(benchmark)!, values.get(measure)!] as const,
      )
      const direct = leftOut(points, others.indexOf(own))
      expect(count).toBe(others.length - 1)
      expect(residual).toBeCloseTo(direct.residual, 10)
      expect(interval![1] - expected!).toBeCloseTo(direct.half, 10)
      expect(expected! - interval![0]).toBeCloseTo(direct.half, 10)
    }
  })

  it('covers ten models, of both kinds', () => {
    expect(ten).toHaveLength(10)
    expect(new Set(ten.map(({ kind }) => kind))).toEqual(new Set(['1K', 'zero-shot']))
  })

  it('says when there is nothing to compare with, and when the line is extended', () => {
    const own: ModelMeasures = {
      model: 'x',
      kind: '1K',
      values: new Map([
        ['i', 0.99],
        ['v', 0.9],
        ['w', 0.1],
      ]),
    }
    const others = [0.5, 0.6, 0.7, 0.8, 0.9].map((x, i): ModelMeasures => ({
      model: `m${i}`,
      kind: '1K',
      values: new Map([
        ['i', x],
        ['v', x - 0.1 + 0.001 * (i % 2)],
      ]),
    }))
    const [v, w] = measureStandings(own, others, 'i')
    expect(v).toMatchObject({ isExtrapolated: true, verdict: 'above', percentile: 1 })
    expect(w).toMatchObject({
      expected: null,
      reason: '0 comparable models, at least 4 are needed',
    })
    expect(measureStandings({ ...own, kind: 'zero-shot' }, others, 'i')[0]).toMatchObject({
      residual: null,
      models: 0,
    })
  })
})

describe('runs and packs', () => {
  let folder: string
  const world = (right: number, far: number): Outcome[] =>
    Array.from({ length: 200 }, (_, i) => ({
      id: `${i}`,
      label: i % 3 === 0 ? 'stove' : 'chair',
      correct: i % 100 < (i % 2 === 0 ? right : far),
      groups: { region: i % 2 === 0 ? 'Europe' : 'Africa', household: `h${i % 7}` },
    }))
  const plain = (right: number): Outcome[] =>
    world(right, right).map(row => ({ ...row, groups: {} }))

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'geogap-place-'))
    for (const [i, right] of [40, 50, 60, 70, 80, 90].entries()) {
      const model = `model ${i}`
      await store(folder, plain(right), { model, dataset: 'imagenet-1k', content: '1'.repeat(64) })
      await store(folder, world(right - 5, right - 20 - (i % 2)), {
        model,
        dataset: 'homes',
        content: '2'.repeat(64),
      })
    }
  })

  afterAll(() => rm(folder, { recursive: true, force: true }))

  it('a pack answers as the run does, without a prediction in it', async () => {
    const run = await openRun(folder)
    const file = join(folder, 'all.pack')
    const bytes = await writePack(run)
    await writeFile(file, bytes)
    const pack = await readPack(file)
    expect(pack.accuracy({ by: ['region', 'label'] })).toEqual(
      run.accuracy({ by: ['region', 'label'] }),
    )
    expect(pack.disparity()).toEqual(run.disparity())
    expect(pack.entries.map(({ identity, key }) => [identity, key])).toEqual(
      run.entries.map(({ identity, key }) => [identity, key]),
    )
    expect(bytes.length).toBeLessThan(20_000)
    await writeFile(join(folder, 'bad.pack'), bytes.subarray(0, 100))
    await expect(readPack(join(folder, 'bad.pack'))).rejects.toThrow(
      /^not a pack of this version .*bad\.pack$/,
    )
  })

  it('a pack names no folder of the machine that evaluated', async () => {
    const run = await openRun(folder)
    const note = {
      name: 'homes',
      hash: '2'.repeat(64),
      images: 200,
      classes: [],
      columns: [],
      labelMap: 'own',
    }
    const problems = [{ id: 'a', code: 'missing-file', message: 'no file /home/me/a.jpg' }]
    const paths = { opened: { root: '/home/me' }, problems }
    const bytes = await writePack({
      ...run,
      datasets: new Map([[note.hash, { ...note, ...paths }]]),
    })
    expect(gunzipSync(bytes).toString()).not.toContain('/home/me')
  })

  it('names the models that lack the benchmark of the x axis', async () => {
    const dir = join(folder, 'lacking')
    await store(dir, plain(70), { model: 'model 2', dataset: 'imagenet-1k' })
    await store(dir, world(70, 60), { model: 'no reference', dataset: 'homes' })
    const placed = await runStandings(dir, { against: folder })
    expect(placed.map(({ model, notes }) => [model.model, notes])).toEqual([
      ['model 2', ['Not placed, for want of imagenet-1k: no reference.']],
    ])
  })

  it('places a model by region and disparity, by a folder and by its pack alike', async () => {
    await writeFile(join(folder, 'same.pack'), await writePack(await openRun(folder)))
    const [placed] = await runStandings(folder, { against: folder, models: ['model 3'] })
    const byPack = await runStandings(join(folder, 'same.pack'), {
      against: join(folder, 'same.pack'),
      models: ['model 3'],
    })
    expect(placed!.measureStandings.map(({ measure }) => measure)).toEqual([
      'homes',
      'homes: Africa',
      'homes: Europe',
      'homes: disparity by region',
      'homes: Europe − Africa',
    ])
    expect(byPack[0]!.measureStandings).toEqual(placed!.measureStandings)
    expect(placed!.measureStandings.every(({ models }) => models === 5)).toBe(true)
    const text = answersText([standingsAnswer([placed!])], 'markdown')
    expect(text).toMatch(/- not shown to differ .+ homes: Africa \(−1\.1\), .+ region \(\+1\.1\)/)
    await expect(runStandings(folder, { against: folder, models: ['nobody'] })).rejects.toThrow(
      'unknown model: nobody',
    )
  })

  it('draws the model as a dot with its prediction interval, and says what it stands among', async () => {
    const [placed] = await runStandings(folder, { against: folder, models: ['model 3'] })
    const figure = standingFigure(placed!)
    expect(figure.subtitle).toBe(`5 models with a head of their own: ${folder}.`)
    expect(figure.rows.map(row => [row['measure'], row['low'], row['high']])).toEqual(
      placed!.measureStandings.map(({ measure, interval }) => [measure, ...interval!]),
    )
    const dots = JSON.stringify(figure.spec(720)).match(/model 3: 57\.0 at 70\.0/g)
    expect(dots).toHaveLength(1)
    const [beside] = await runStandings(folder, { against: 'published', models: ['model 3'] })
    expect(standingFigure(beside!).caption).toMatch(
      /No measured pack exists yet: published facts are shown instead\.$/,
    )
    const file = join(folder, 'place.svg')
    const { stderr } = await geogap([
      'place',
      folder,
      '--against',
      folder,
      '--models',
      'model 3',
      '--figure',
      file,
    ])
    expect(stderr).toMatch(/place\.svg: Each point is a comparable model/)
    expect(await readFile(file, 'utf8')).toContain('from the trend')
  }, 60_000)

  it('never takes images with classes of their own for the benchmark that their name resembles', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'geogap-own-names-'))
    for (const [i, right] of [40, 50, 60, 70, 80].entries()) {
      const own = { model: `model ${i}`, labelMap: 'own 1' }
      await store(dir, plain(right), { ...own, dataset: 'standard', content: '3'.repeat(64) })
      await store(dir, plain(right - i), { ...own, dataset: 'sketch', content: '4'.repeat(64) })
    }
    const [placed] = await runStandings(dir, { against: dir, models: ['model 3'] })
    const names = placed!.measureStandings.map(({ measure }) => measure)
    await rm(dir, { recursive: true })
    expect(names.join()).toMatch(/^(sketch|standard)$/)
  })

  it('says beside published facts that no measured pack exists', async () => {
    const { code, stdout } = await geogap(['place', folder, '--models', 'model 3'])
    expect(code).toBe(0)
    expect(stdout).toContain('No measured pack exists yet: published facts are shown instead')
    expect(stdout).toContain('not placed: 0 comparable models, at least 4 are needed')
  }, 60_000)
})
