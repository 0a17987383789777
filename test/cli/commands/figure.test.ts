import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { countStatuses } from '../../../src/results/counts.ts'
import { openRun } from '../../../src/results/run.ts'
import { geogap } from '../../helpers/cli.ts'
import { skills, storeResults } from '../../report/figures/stored.ts'

let folder: string
let results: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-figure-'))
  results = join(folder, 'results')
  await storeResults(results)
})

afterAll(() => rm(folder, { recursive: true, force: true }))

const figure = (...args: string[]) => geogap(['figure', ...args])

describe('geogap figure', () => {
  it('draws SVG, PNG, PDF and JSON and prints each file with its caption', async () => {
    for (const ending of ['svg', 'png', 'pdf', 'json']) {
      const file = join(folder, `regions.${ending}`)
      const { code, stdout, stderr } = await figure('regions', results, '-o', file)
      expect(stderr).toBe('')
      expect(code).toBe(0)
      expect(stdout.split('\n').slice(0, 2)).toEqual([
        file,
        expect.stringMatching(
          /^Europe leads Africa by [\d.]+ points \([\d.]+ to [\d.]+\) in the best model on GeoDE\. Top-1 /,
        ),
      ])
    }
    expect(await readFile(join(folder, 'regions.svg'), 'utf8')).toContain('Africa (n 79)')
    expect((await sharp(join(folder, 'regions.png')).metadata()).width).toBeGreaterThan(1200)
    expect((await readFile(join(folder, 'regions.pdf'))).subarray(0, 5).toString()).toBe('%PDF-')
    const spec = JSON.parse(await readFile(join(folder, 'regions.json'), 'utf8')) as {
      description: string
    }
    expect(spec.description).toContain('95 % intervals')
  })

  it('takes the paper’s number and names the files where there are several', async () => {
    const { code } = await figure(
      '--paper',
      '2',
      results,
      '-o',
      join(folder, 'two.svg'),
      '--width',
      '400',
    )
    expect(code).toBe(0)
    const files = (await readdir(folder)).filter(name => name.startsWith('two'))
    expect(files.sort()).toEqual(['two-disparity-geode.svg', 'two-region-lines-geode.svg'])
  })

  it('draws what training experiments left', async () => {
    const { stdout, code } = await figure('11', results, '-o', join(folder, 'eleven.json'))
    expect(code).toBe(0)
    expect(stdout).toMatch(/Europe − Africa is [\d.]+ points \(.*\) with 50 % western images/)
    expect(await readFile(join(folder, 'eleven.json'), 'utf8')).toContain(
      'training images: n = 2 seeds at each of 3 shares',
    )
  })

  it.each([
    [['pie', 'RESULTS', '-o', 'a.svg'], 'unknown figure: pie'],
    [
      ['regions', 'RESULTS', '-o', 'a.gif'],
      '--output takes a file ending in .svg, .png, .pdf, .json, not a.gif',
    ],
    [['regions', 'RESULTS', '-o', 'none/a.svg'], 'cannot write'],
    [['RESULTS', '-o', 'a.svg'], 'figure takes NAME DIR, or --paper NUMBER DIR'],
    [['--paper', '12', 'RESULTS', '-o', 'a.svg'], 'unknown figure: 12'],
  ])('%j is refused in one line', async (args, message) => {
    const { code, stderr } = await figure(...args.map(arg => (arg === 'RESULTS' ? results : arg)))
    expect(stderr).toContain(message)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(code).toBe(2)
  })
})

describe('geogap figures', () => {
  it('lists names, the paper’s numbers and what each needs', async () => {
    const { stdout } = await geogap(['figures', '--format', 'csv'])
    expect(stdout).toContain(
      'progress,Progress on standard benchmarks and on geographic data,"1 left, 4, 5"',
    )
  })
})

describe('images without a prediction', () => {
  it('are counted by their reason', async () => {
    const { entries } = await openRun(results)
    const expected = Object.keys(skills).map(model => ({
      model,
      dataset: 'geode',
      status: 'unreadable-image',
      images: 1,
    }))
    const byModel = (a: { model: string }, b: { model: string }) => (a.model < b.model ? -1 : 1)
    expect((await countStatuses(entries)).sort(byModel)).toEqual(expected.sort(byModel))
  })

  it('stand in the report', async () => {
    const file = join(folder, 'report.html')
    const { code } = await geogap(['report', results, '-o', file])
    expect(code).toBe(0)
    expect(await readFile(file, 'utf8')).toMatch(
      /unreadable-image[^]*3 missing predictions|3 missing predictions[^]*unreadable-image/,
    )
  })
})
