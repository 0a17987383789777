import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { judgeEvaluations } from '../../src/analysis/gate.ts'
import { readPack, writePack } from '../../src/analysis/pack.ts'
import { openRun } from '../../src/results/run.ts'
import { geogap } from '../helpers/cli.ts'
import { storeRun } from '../helpers/storedRun.ts'

let dir: string
const region = (i: number): string => (i % 2 === 0 ? 'Africa' : 'Europe')

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'geogap-slices-'))
  const correct = Array.from({ length: 400 }, (_, i) =>
    i === 3 ? null : i % 2 === 1 || i % 8 === 0,
  )
  const groups = (i: number) => ({ region: region(i), country: i % 2 === 0 ? 'Kenya' : 'Spain' })
  const geode = {
    dataset: 'geode',
    correct,
    groups,
    label: (i: number) => (i % 4 === 0 ? 'stove' : '=soap'),
  }
  await storeRun(
    [
      { model: 'one', ...geode },
      { model: 'two', ...geode, correct: correct.map(() => true) },
    ],
    dir,
  )
})
afterAll(() => rm(dir, { recursive: true, force: true }))

describe('slices', () => {
  it('list what fits, with label, prediction and place', async () => {
    const file = join(dir, 'slice.csv')
    const args = ['slice', dir, '--model', 'one', '--wrong', '--region', 'Africa']
    const { stdout, stderr } = await geogap([...args, '-o', file])
    expect(stderr).toBe('')
    expect(stdout).toBe(`150 images in ${file}\n`)
    const lines = (await readFile(file, 'utf8')).trim().split('\n')
    expect(lines[0]).toBe('dataset,id,label,prediction,region,country,model')
    expect(lines).toHaveLength(151)
    expect(lines[1]).toBe("geode,image-10,'=soap,class 2,Africa,Kenya,one")
    expect((await geogap([...args, '--label', 'stove', '-o', file])).stdout).toMatch(/^50 images/)
    expect((await geogap([...args, '--where', 'planet=Mars', '-o', file])).stderr).toMatch(
      /unknown column: planet/,
    )
    const typo = ['slice', dir, '--model', 'one', '--region', 'Afrika', '-o', join(dir, 'none.csv')]
    expect((await geogap(typo)).stderr).toBe(
      'geogap: unknown region: Afrika; nearest: Africa, Europe [unknown-region]\n',
    )
    expect((await geogap(['slice', dir, '-o', file])).stderr).toMatch(
      /choose with --model; there are one, two/,
    )
  }, 60_000)

  it('leave images out of every analysis and of every model, and are in its key and record', async () => {
    const file = join(dir, 'wrong.csv')
    await geogap(['slice', dir, '--model', 'one', '--wrong', '-o', file])
    const [whole, run] = [await openRun(dir), await openRun(dir, file)]
    expect(whole.accuracy({ model: 'one' })[0]).toMatchObject({ n: 399, errors: 1 })
    expect(run.accuracy().map(({ model, n, errors, top1 }) => [model, n, errors, top1])).toEqual([
      ['one', 249, 1, 1],
      ['two', 250, 0, 1],
    ])
    expect(run.accuracy({ by: 'region', model: 'two' }).map(({ n }) => n)).toEqual([50, 200])
    const [identity] = run.entries.map(each => each.identity)
    expect(identity!.excluded).toMatch(/^150 images of a slice, SHA-256 [0-9a-f]{16}$/)
    expect(new Set([...whole.entries, ...run.entries].map(({ key }) => key)).size).toBe(4)
    const pack = join(dir, 'left.pack')
    await writeFile(pack, await writePack(run))
    expect((await readPack(pack)).entries[0]!.identity.excluded).toBe(identity!.excluded)
    expect(
      (await judgeEvaluations(dir, { minWorst: 0.9, exclude: file, minN: 30 })).notes.join(),
    ).toContain('Left out of geode: 150')
    const text = async (...args: string[]) => (await geogap([...args, '--exclude', file])).stdout
    expect(await text('compare', dir, '--models', 'one,two')).toContain(
      'Left out of geode: 150 images of a slice',
    )
    expect(await text('methods', dir)).toContain('- Left out of geode: 150 images of a slice')
    expect(await text('table', dir, '--format', 'csv')).toContain('one,geode')
    await writeFile(file, `${await readFile(file, 'utf8')}geode,no such image,,,,,\n`)
    expect(await text('table', dir)).toContain('Left out of geode: 150 of 151 images of a slice')
  }, 60_000)

  it('find images whose names a spreadsheet would take for formulas', async () => {
    const names = ['=1+1', '+a', '-b', '@c', "'=d", ' =e', '＝f', "'g", 'h,"i"', '\tj', 'plain']
    const out = join(dir, 'formulas')
    const all = {
      model: 'one',
      dataset: '=sum',
      correct: names.map((_, i) => i < names.length - 1),
    }
    await storeRun([{ ...all, id: i => names[i]! }], out)
    const file = join(dir, 'formulas.csv')
    await geogap(['slice', out, '--right', '-o', file])
    expect(await readFile(file, 'utf8')).toContain("\n'=sum,'=1+1,")
    expect((await openRun(out, file)).accuracy()).toMatchObject([{ n: 1, top1: 0 }])
  })

  it('that fit nothing, all, or no pack are refused', async () => {
    const file = join(dir, 'own.csv')
    await writeFile(file, 'dataset,id\ngeode,image-9999\n')
    await expect(openRun(dir, file)).rejects.toThrow('no image of')
    await writeFile(file, 'id\nimage-1\n')
    await expect(openRun(dir, file)).rejects.toThrow('no columns dataset and id but id')
    await writeFile(
      file,
      `dataset,id\n${Array.from({ length: 400 }, (_, i) => `geode,image-${i}`).join('\n')}\n`,
    )
    await expect(openRun(dir, file)).rejects.toThrow('lists every image of geode')
    expect((await geogap(['methods', join(dir, 'left.pack'), '--exclude', file])).stderr).toContain(
      'is a pack',
    )
  }, 60_000)
})
