/** Counts by group as people publish them come in, and every analysis of groups works on them or says why not. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compareEvaluations } from '../../../src/analysis/compareRun.ts'
import { inferDisparities } from '../../../src/analysis/inferDisparities.ts'
import { chooseEvaluationPairs } from '../../../src/analysis/evaluationPairs.ts'
import { writeFlippedImages } from '../../../src/analysis/flippedImages.ts'
import { judgeEvaluations } from '../../../src/analysis/gate.ts'
import { comparisonSentence } from '../../../src/cli/print/compare.ts'
import { findDataFile } from '../../../src/dashboard/dataFiles.ts'
import { openDashboardStore } from '../../../src/dashboard/store.ts'
import { modelView } from '../../../src/dashboard/views.ts'
import { readTable } from '../../../src/datasets/readTable.ts'
import { importGroupCounts } from '../../../src/evaluate/import/counts.ts'
import { readGroupCounts } from '../../../src/evaluate/import/countTables.ts'
import { makeFigures } from '../../../src/report/figures/index.ts'
import { openRun } from '../../../src/results/run.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-counts-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

let files = 0
async function read(text: string, ending = 'csv', model: string | undefined = 'm') {
  const file = join(folder, `table-${++files}.${ending}`)
  await writeFile(file, text)
  return readGroupCounts(await readTable(file), { file, model, dataset: 'd' })
}

const expected = [
  { model: 'm', dataset: 'd', groups: { country: 'Kenya' }, n: 1200, correct: 636 },
  { model: 'm', dataset: 'd', groups: { country: 'Ghana' }, n: 80, correct: 41 },
]

describe('layouts of published tables', () => {
  it.each([
    ['country,n,correct\nKenya,1200,636\nGhana,80,41\n'],
    ['Country;# images;Hits;Accuracy (%)\nKenya;1,200;636;53,0 %\nGhana;80;41;51,3 %\n'],
    ['country;num;hits\nKenya;1.200;636\nGhana;80;41\n'],
    ['country\tTotal\tN correct\nKenya\t1 200\t636\nGhana\t80\t41\nTotal\t1 280\t677\n', 'tsv'],
    ["Country,total,right\nKenya,1'200,636.0\nGhana,80.0,41\n"],
    ['country,n,accuracy\nKenya,1200,0.53\nGhana,80,.5125\n'],
    ['country,n,top-1 acc\nKenya,1200,53.0\nGhana,80,51.3\n'],
    ['country,n,acc\nKenya,1200,53.0 ± 1.4\nGhana,80,51.25 (40.1–62.3)\n'],
    ['country,support,wrong\nKenya,1200,564\nGhana,80,39\n'],
    ['country,correct,incorrect\nKenya,636,564\nGhana,41,39\n'],
    ['country,correct/total\nKenya,636/1200\nGhana,41 of 80\n'],
    [
      'model,dataset,group column,group,n,correct\nm,d,Country,Kenya,1200,636\nm,d,country,Ghana,80,41\n',
    ],
    ['Country;Total;Top-1 accuracy, %\nKenya*;1.200;53,0\nGhana †;80;51,3\n'],
    ['group,n,correct\nKenya,1200,636\nGhana,80,41\n'],
    ['country,iso3,n,correct\nKenya,KEN,1200,636\nGhana,GHA,80,41\n'],
    ['model,Kenya,Ghana\nn,1200,80\nm,53.0,51.3\n'],
    ['model,Kenya (n=1200),Ghana (n=80)\nm,53.0,51.3\n'],
    ['model,Kenya_n,Kenya_correct,Ghana_n,Ghana_correct\nm,1200,636,80,41\n'],
    ['model,Kenya,Ghana\nm,636/1200,41/80\n'],
    ['country,images,m\nKenya,1200,53.0 %\nGhana,80,51.3 %\n'],
    ['country,images,m\nKenya,1200,636\nGhana,80,41\n'],
    [
      '[{"country":"Kenya","n":1200,"correct":636},{"country":"Ghana","n":80,"correct":41}]',
      'json',
    ],
  ])('%j', async (text, ending = 'csv') => {
    const found = await read(text, ending)
    expect(found!.rows).toMatchObject(expected)
  })

  it('says what it left out and how it read a number', async () => {
    const { rows, notes } = (await read(
      'country,region,n,accuracy,gdp\nKenya,Africa,1200,53,1\nSpain,Europe,0,,2\nall,,1200,53,3\n',
    ))!
    expect(rows).toEqual([
      {
        model: 'm',
        dataset: 'd',
        groups: { country: 'Kenya', region: 'Africa' },
        n: 1200,
        correct: 636,
        correct5: null,
      },
    ])
    expect(notes.join('; ')).toBe(
      'accuracy is taken as percent, for values are above 1; right images are accuracy × images, rounded to a whole number; rows left out as sums of others: all × unknown; groups left out for lack of images: Spain × Europe; columns left out: gdp',
    )
  })

  it('says which accuracies no number of right images gives, but for those that are cut or of float32', async () => {
    const text =
      'country,n,accuracy\nKenya,12,0.537\nGhana,8,0.375\nMali,7,0.571\nTogo,12,0.58333331\nChad,3,0.6666666666666665\n'
    const { rows, notes } = (await read(text))!
    expect(rows.map(({ correct }) => correct)).toEqual([6, 3, 4, 7, 2])
    expect(notes.at(-1)).toMatch(/^groups whose accuracy no whole number .*: Kenya$/)
    const given = text.replaceAll(
      /,(\d+),(\S+)/g,
      (_, n: string, value: string) => `,${n},${Math.round(Number(n) * Number(value))},${value}`,
    )
    const percent = given.replace('n,accuracy', 'n,correct,accuracy').replace(/Kenya.*\n/, '')
    expect((await read(percent))!.rows.map(({ correct }) => correct)).toEqual([3, 4, 7, 2])
  })

  it.each(['World', 'Summe', 'All 3 countries', '合计', 'Итого'])(
    'leaves out the sum %s',
    async name => {
      const { rows } = (await read(
        `country,n,correct\nKenya,120,60\nGhana,80,50\nSpain,100,90\n${name},300,200\n`,
      ))!
      expect(rows.map(({ n }) => n)).toEqual([120, 80, 100])
    },
  )

  it('leaves out sums of regions among countries, but keeps regions in a column of their own', async () => {
    const { rows, notes } = (await read(
      'country,n,correct\nKenya,120,60\nSouth Africa,80,50\nAfrica,200,110\nSpain,100,90\nWestern Europe,100,90\n',
    ))!
    expect(rows.map(({ groups }) => groups.country)).toEqual(['Kenya', 'South Africa', 'Spain'])
    expect(notes).toContain('rows left out as sums of others: Africa, Western Europe')
    const regions = (await read('country,n,correct\nAfrica,200,110\nEurope,100,90\n'))!
    expect(regions.rows.map(({ n }) => n)).toEqual([200, 100])
  })

  it('says which group is the sum of all others by its numbers', async () => {
    const note =
      'groups with as many images and right ones as all others together: if one is their sum, call it Total: '
    const table = (last: string) => `country,n,correct\nKenya,120,60\nGhana,80,50\n${last}\n`
    expect((await read(table('Afrika,200,110')))!.notes).toEqual([`${note}Afrika`])
    expect((await read(table(',200,110')))!.notes).toEqual([`${note}unknown`])
    expect((await read(table('Mali,200,111')))!.notes).toEqual([])
    expect((await read('country,n,correct\nKenya,80,50\nGhana,80,50\n'))!.notes).toEqual([])
  })

  it.each([
    ['country,n,correct\nKenya,10,11\n', /11 right of 10 images: .*row 1/],
    ['country,n,correct\nKenya,10,3.5\n', /correct is 3.5, not a whole number: .*row 1/],
    ['country,n,correct\nKenya,ten,3\n', /n is ten, not a whole number/],
    ['country,n,correct\nKenya,10,3\nKenya,20,4\n', /Kenya of m on d is given twice/],
    ['country,accuracy\nKenya,53\n', /no number of images in .*: add a column n/],
    ['country,n\nKenya,53\n', /no counts of right images in .*: add a column correct/],
    ['country,n,accuracy\nKenya,100,530\n', /accuracy is 530 in .*, above 100/],
    ['country,n,accuracy\nKenya,100,53 %\nGhana,100,0.4\n', /percent sign in 1 of 2 cells/],
    ['country,n,correct,accuracy\nKenya,100,53,62 %\n', /62 %, but 53 of 100 images are 53.00 %/],
    [
      'country,n,accuracy\nKenya,120,52.5\nGhana,80,0.45\n',
      /0.45, which is a share of 80 images, in a column of percent.*row 2/,
    ],
    ['country,n,a,b\nKenya,100,53,52\n', /a, b of .* may be counts or percent/],
  ])('%j is refused', async (text, message) => {
    await expect(read(text)).rejects.toThrow(message)
  })

  it('asks for the model that the table does not name', async () => {
    await expect(read('country,n,correct\nKenya,10,3\n', 'csv', '')).resolves.toBeDefined()
    const file = join(folder, 'nameless.csv')
    await writeFile(file, 'country,n,correct\nKenya,10,3\n')
    const table = await readTable(file)
    expect(() => readGroupCounts(table, { file, model: undefined, dataset: 'd' })).toThrow(
      /no column model in .*: add one, or name the model by --model/,
    )
  })

  it.each(['model,benchmark,accuracy\na,b,0.4\n', 'image,label,country\na.jpg,dog,Kenya\n'])(
    '%j holds no counts by group',
    async text => {
      expect(await read(text)).toBeUndefined()
    },
  )
})

describe('stored counts', () => {
  const hits = { Kenya: 50, Ghana: 62, Spain: 81, Japan: 90 }
  let out: string
  beforeAll(async () => {
    out = join(folder, 'results')
    const lines = Object.entries(hits).flatMap(([country, right]) => [
      `first,${country === 'Kenya' ? 'KEN' : country},120,${right}`,
      `second,${country},120,${right - 10}`,
    ])
    const file = join(folder, 'stored.csv')
    await writeFile(file, `model,country,n,correct\n${lines.join('\n')}\n`)
    const counts = readGroupCounts(await readTable(file), {
      file,
      model: undefined,
      dataset: 'Dollar Street',
    })!
    const said = await importGroupCounts(counts, { file, preprocessing: 'native', out })
    expect(said).toContain('4 groups by country of first on dollarstreet: 283 of 480 images right')
  })

  it('give accuracies, regions from countries and a disparity with its interval; unknown is null', async () => {
    const run = await openRun(out)
    const by = (column: string) => run.accuracy({ by: column, model: 'first' })
    expect(by('country').map(({ group, n, top1, top5 }) => [group, n, top1, top5])).toEqual([
      ['Ghana', 120, 62 / 120, null],
      ['Japan', 120, 90 / 120, null],
      ['Kenya', 120, 50 / 120, null],
      ['Spain', 120, 81 / 120, null],
    ])
    expect(by('region').map(({ group, n }) => [group, n])).toEqual([
      ['Africa', 240],
      ['Asia', 120],
      ['Europe', 120],
    ])
    expect(by('label')).toEqual([])
    const [row] = await inferDisparities(run, { by: 'country', model: 'first', draws: 200 })
    expect(row).toMatchObject({ best: 'Japan', worst: 'Kenya', disparity: 40 / 120 })
    expect(row!.interval![0]).toBeGreaterThan(0.1)
    expect(makeFigures(run, 'map', { model: 'first' })).toHaveLength(1)
  })

  it('are compared as two samples, without a test of pairs', async () => {
    const [pair] = await chooseEvaluationPairs(out, out, { models: ['first', 'second'] })
    const compared = await compareEvaluations(pair!)
    expect(compared.rows[0]).toMatchObject({
      by: 'overall',
      change: expect.closeTo(-40 / 480, 12) as number,
      p: null,
      gained: null,
    })
    expect(compared.rows[0]!.interval![0]).toBeLessThan(-40 / 480)
    expect(compared.rows.map(({ by }) => by)).toContain('country')
    expect(comparisonSentence(compared)).toMatch(/^overall −8\.3 points \(95 % interval .*no test/)
    await expect(writeFlippedImages(join(folder, 'flips.csv'), out, [pair!])).rejects.toThrow(
      /counts by group, without single images/,
    )
  })

  it('are judged by a gate, but for drops, which stay undecided', async () => {
    const result = await judgeEvaluations(out, {
      baseline: out,
      by: 'country',
      minWorst: 0.6,
      maxDisparity: 0.9,
    })
    const verdicts = (rule: string) => [
      ...new Set(result.checks.filter(check => check.rule === rule).map(({ verdict }) => verdict)),
    ]
    expect(verdicts('max-drop')).toEqual(['undecided'])
    expect(verdicts('min-worst')).toContain('broken')
    expect(verdicts('max-disparity')).toEqual(['holds'])
  })

  it('are groups in the dashboard, and no images', async () => {
    const store = await openDashboardStore(out)
    const view = modelView(store.counts('dollarstreet'), 'first', {})
    expect(view.overall).toMatchObject({ n: 480, top1: 283 / 480, top5: null })
    expect(view.groups.country).toHaveLength(4)
    const { folder: at } = store.overview().datasets[0]!
    const model = store.overview().models[0]!
    const outcomes = (await findDataFile(store, `${at}/${model.file}`)!.read()) as {
      images: string
      outcome: string
    }
    expect(outcomes.outcome).toBe('')
    expect(await findDataFile(store, `${at}/${outcomes.images}`)!.read()).toMatchObject({ id: [] })
  })
})
