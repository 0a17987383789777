import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { runView } from '../../../src/analysis/runView.ts'
import { reportPage, writeReport } from '../../../src/report/page/reportPage.ts'
import { type Run, createRun } from '../../../src/results/run.ts'
import { madeUp, madeUpRun, worlds } from '../figures/world.ts'

const pageOf = (run: Run): Promise<string> => reportPage(runView(run), [])

const between = (text: string, start: string, end: string): string =>
  text.split(start)[1]!.split(end)[0]!

const folder = await mkdtemp(join(tmpdir(), 'geogap-report-'))
afterAll(() => rm(folder, { recursive: true, force: true }))

const few = await pageOf(worlds['few']!())
const small = { models: 3, standard: ['imagenet-1k'], geographic: ['geode'] }
/** Without figures, which take most of the time of a page. */
const plain = { ...small, geographic: [] }

const evil = '<script>alert(1)</script>"\'&<b>'
const evilFailures = await reportPage(
  runView(madeUpRun({ ...small, rename: name => `${name} ${evil}`, problems: true })),
  [{ model: 'resnet50', dataset: 'geode', status: 'unreadable-image', images: 3 }],
)
const real = await pageOf(madeUpRun({ ...small, madeUp: false, catalogue: true }))

describe('one file', () => {
  it('loads nothing', () => {
    const addresses = [
      ...few.matchAll(/<[^>]*\s(?:src|href|action|poster|data|srcset)="([^"]*)"/g),
    ].map(match => match[1]!)
    const elsewhere = addresses.filter(
      address => !address.startsWith('#') && !address.startsWith('data:text/csv'),
    )
    expect(elsewhere).toEqual([])
    expect(few).not.toMatch(/url\((?!#)|@import|<(iframe|link|base|object|embed|img)/)
  })

  it('forbids requests, and allows its own style and script by their hashes', () => {
    const policy = between(few, 'Content-Security-Policy" content="', '"')
    const hash = (tag: string): string =>
      createHash('sha256')
        .update(between(few, `<${tag}>`, `</${tag}>`))
        .digest('base64')
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain(`style-src 'sha256-${hash('style')}'`)
    expect(policy).toContain(`script-src 'sha256-${hash('script')}'`)
    expect(few).not.toMatch(/<[^>]*\s(style|on\w+)="/)
  })

  it('is the same twice', async () => {
    expect(await pageOf(worlds['few']!())).toBe(few)
  })

  it('replaces a file whole, and names one that cannot be written', async () => {
    await writeFile(join(folder, 'report.html'), 'old')
    await writeReport(worlds['one']!(), join(folder, 'report.html'))
    expect(await readFile(join(folder, 'report.html'), 'utf8')).toMatch(
      /^<!doctype html>[^]*<\/html>\s*$/,
    )
    await expect(
      writeReport(worlds['empty']!(), join(folder, 'none', 'report.html')),
    ).rejects.toThrow('cannot write')
  })
})

describe('names from results', () => {
  it('never become markup', () => {
    const page = evilFailures
    expect(page.split('<script>')).toHaveLength(2)
    expect(page).not.toMatch(/<b>|<model>|<1>/)
    expect(page).toContain('&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;&lt;b&gt;')
    expect(page).toContain('broken&lt;model&gt;')
  })
})

describe('the first lines', () => {
  it('name the run and its date, and say the answer, whose numbers keep their percent sign beside them', () => {
    expect(few).toMatch(/<h1>[^<]+<\/h1>\s*<p class="facts">2026-01-02 · 4 models · /)
    expect(few).toMatch(
      /<p class="answer">[^<]+ gets \d+\.\d\u00a0% of [^<]+ a disparity of [^<]+<\/p>/,
    )
  })
})

describe('made-up data', () => {
  it('is said once on the page, and on every printed page', () => {
    expect(few).toMatch(new RegExp(`class="banner" role="note">[^<]*${madeUp}`))
    const foot = between(few, "@bottom-left { content: '", "'").replace(
      /\\([0-9a-f]+) /g,
      (_, code: string) => String.fromCodePoint(parseInt(code, 16)),
    )
    expect(foot).toBe(`Made-up data: ${madeUp}`)
    const captions = [...few.matchAll(/<figcaption>([^<]*)</g)].map(match => match[1]!)
    expect(captions.length).toBeGreaterThan(10)
    expect(captions.filter(caption => caption.includes(madeUp))).toEqual([])
  })

  it('is not said of real data', () => {
    expect(real).not.toMatch(/made.up/i)
  })
})

describe('reading without eyes or a mouse', () => {
  it('labels figures, tables, regions and headings', () => {
    expect(few.match(/<svg /g)!.length).toBe(
      few.match(/<svg role="img" aria-label="[^"]{20,}"/g)!.length,
    )
    const tables = few.match(/<table>/g)!.length
    expect(few.match(/<caption>\s*<span>.+?<\/span>\s*<\/caption>/g)).toHaveLength(tables)
    expect(few.match(/<th(?! scope)[ >]/g)).toBeNull()
    expect(few.match(/tabindex="0" role="region" aria-label="/g)).toHaveLength(tables + 1)
    expect(few.match(/<h1>/g)).toHaveLength(1)
    expect(few).toContain('<html lang="en">')
  })

  it('has one element for every id', () => {
    const ids = [...few.matchAll(/<[^>]*\sid="([^"]*)"/g)].map(match => match[1]!)
    expect(new Set(ids).size).toBe(ids.length)
    for (const [, id] of few.matchAll(/(?:url\(#|href="#)([^)"]*)[)"]/g)) expect(ids).toContain(id)
  })
})

describe('numbers', () => {
  it('are the run’s own', () => {
    const run = worlds['few']!()
    const best = run
      .accuracy()
      .filter(row => row.dataset === 'geode')
      .sort((a, b) => b.top1! - a.top1!)[0]!
    const row = run.disparity().find(row => row.dataset === 'geode' && row.model === best.model)!
    const section = between(few, '<h3>GeoDE</h3>', '<h2')
    expect(section).toContain(`${(100 * best.top1!).toFixed(1)}\u00a0%`)
    expect(section).toContain(`${(100 * row.disparity!).toFixed(1)} points`)
    expect(section).toContain(`${row.best!}, highest`)
    expect(section).toContain(`${row.worst!}, lowest`)
    expect(section).toContain(
      `Europe minus Africa: ${(100 * row.europeMinusAfrica!).toFixed(1)} points`,
    )
  })

  it('download as CSV that says what the table says', () => {
    const link = /download="accuracy.csv" href="data:text\/csv;charset=utf-8,([^"]*)"/.exec(
      few,
    )![1]!
    const lines = decodeURI(link.replaceAll('&#39;', "'").replaceAll('&amp;', '&'))
      .trim()
      .split('\n')
    const run = worlds['few']!()
    expect(lines[0]).toBe(
      'model,dataset,preprocessing,n,top1,low,high,top5,errors,of,top1_with_errors,reason',
    )
    expect(lines).toHaveLength(1 + run.accuracy().length)
    const [first] = run.accuracy()
    expect(Number(lines[1]!.split(',')[4])).toBeCloseTo(first!.top1!, 6)
  })

  it('leave out a gap of two models and a disparity of one region', async () => {
    const two = await pageOf(
      madeUpRun({ ...small, models: 2, standard: ['imagenet-1k', 'imagenet-v2'] }),
    )
    expect(two).not.toContain('Progress gap:')
    const one = await pageOf(worlds['one region']!())
    expect(one).toContain('No disparity: only one group with at least 30 images.')
  })
})

describe('what went wrong', () => {
  it('is listed: failures, images by reason, refused rows', () => {
    expect(evilFailures).toContain('no tensor head.weight')
    expect(evilFailures).toContain('unreadable-image')
    expect(evilFailures).toContain('photo &lt;1&gt;.jpg')
  })

  it('counts what is missing with every preprocessing', async () => {
    const run = madeUpRun({ ...plain, models: 1 })
    const cells = run.cells.map(cell => ({
      ...cell,
      preprocessing: 'paper' as const,
      n: 1,
      top1: 1,
      top5: 1,
      errors: 1,
    }))
    const both = createRun({
      ...run,
      cells: [...run.cells.map(cell => ({ ...cell, errors: 0 })), ...cells],
    })
    expect(await pageOf(both)).toContain(
      `${cells.length.toLocaleString('en-US')} missing predictions.`,
    )
  })

  it('warns of incomplete results and of a data set in two versions', async () => {
    const run = madeUpRun(plain)
    const [first, second, ...rest] = run.entries
    const entries = [
      { ...first!, rows: 10 },
      { ...second!, identity: { ...second!.identity, content: 'other' } },
      ...rest,
    ]
    const page = await pageOf({ ...run, entries })
    expect(page).toContain('resnet50 on imagenet-1k is incomplete: 10 of 600 images.')
    expect(page).toContain('imagenet-1k was evaluated in 2 versions')
  })

  it('says so where nothing did, and where there is nothing', async () => {
    expect(few).toContain(
      '0 failed evaluations, 0 refused rows of data sets, 4 missing predictions.',
    )
    const empty = await pageOf(worlds['empty']!())
    expect(empty).toContain('There are no results yet.')
    expect(empty).toContain('The results are too few for a figure.')
    expect(empty.match(/No evaluation is stored\./g)).toHaveLength(2)
    expect(empty).not.toMatch(/evaluated +UTC|We evaluated 0|CSV of 0 rows/)
  })
})

describe('what was run', () => {
  it('names models, weights, preprocessing, versions, machine and date, with the methods in words', () => {
    const section = between(few, '<section id="record"', '</section>')
    for (const text of [
      'geogap 0.1.0 with onnxruntime 1.30.0',
      'test processor',
      '2026-01-02 03:04 UTC',
    ])
      expect(section).toContain(text)
    expect(section).toContain('We evaluated 4 models (resnet50, ')
    expect(section).toContain('resize(256, bilinear) centerCrop(224)')
    expect(section).toContain('aaaaaaaaaaaa</td>')
    expect(section).toMatch(
      /href="data:text\/csv;charset=utf-8,model,[^"]*preprocessing,steps,weights_sha256/,
    )
  })

  it('adds what the catalogue knows of a model', () => {
    expect(between(real, '<section id="record"', '</section>')).toMatch(
      /parameters \(M\)[^]*<td data-v="\d+">\d+\.\d<\/td>/,
    )
  })
})

describe('disparities of many models', () => {
  it('say why they lack intervals by many countries', async () => {
    const wide = madeUpRun({
      models: 60,
      standard: ['imagenet-1k'],
      geographic: ['geode'],
      countries: 40,
      classes: 6,
    })
    const entries = wide.entries.map(entry => ({
      ...entry,
      shards: entry.shards.map(shard => ({
        ...shard,
        columns: shard.columns.filter(name => name !== 'region'),
      })),
    }))
    const page = await pageOf({ ...wide, entries })
    expect(page).toContain('not computed here: 60 models with up to ')
    expect(page).toContain('For GeoDE intervals and p would take minutes')
  })
})

describe('citations', () => {
  it('stand as BibTeX, line by line', () => {
    expect(few).toMatch(/<pre [^>]*>@inproceedings\{richards2024progress,\n {2}title = /)
  })

  it('name the data sets used and the paper', () => {
    expect(few).toContain('Ramaswamy')
    expect(few).toContain('Kirichenko')
    expect(few).not.toContain('ObjectNet: A Large-Scale')
  })
})
