import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeMethods, methodsText } from '../../src/analysis/citing/methods.ts'
import { readPack, writePack } from '../../src/analysis/pack.ts'
import { accuracy } from '../../src/metrics/accuracy.ts'
import { openRun, type Run } from '../../src/results/run.ts'
import { store } from '../analysis/stored.ts'
import { geogap } from '../helpers/cli.ts'

let folder: string
let run: Run

/** Ghana has ten households of 20 images that are right or wrong together, Kenya one of 60 images. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-households-'))
  const images = Array.from({ length: 260 }, (_, i) => {
    const country = i < 200 ? 'Ghana' : 'Kenya'
    const home = Math.floor(i / 20)
    return {
      id: `${i}`,
      label: i % 2 === 0 ? 'cup' : 'bed',
      correct: i < 200 ? home % 3 > 0 : i % 4 > 0,
      groups: { region: 'Africa', country, household: i < 200 ? `home ${home}` : 'one' },
    }
  })
  await store(join(folder, 'results'), images)
  run = await openRun(join(folder, 'results'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('accuracies of images that come in households', () => {
  it('have intervals over households, by any column, and none where all images are of one', () => {
    const [ghana, kenya] = run.accuracy({ by: 'country' })
    const [low, high] = accuracy({ n: 200, top1: 120 }).interval!
    expect(ghana!.high! - ghana!.low!).toBeGreaterThan(3 * (high - low))
    expect(kenya).toMatchObject({
      top1: 0.75,
      low: null,
      reason: 'no interval: all images of Kenya are of one household',
    })
    for (const by of [[], 'region', 'label'])
      for (const row of run.accuracy({ by })) {
        const independent = accuracy({ n: row.n, top1: row.n * row.top1! }).interval!
        expect(row.low).toBeLessThan(independent[0] - 0.05)
      }
    const [both] = run.accuracy({ by: ['country', 'label'] })
    expect(both).toMatchObject({
      low: null,
      reason: 'no interval: households are not counted by country × label',
    })
  })

  it('are the same in a pack, and pairs of columns are counted when a table asks for them', async () => {
    const file = join(folder, 'results.pack')
    await writeFile(file, await writePack(run))
    const pack = await readPack(file)
    for (const by of [[], 'country', 'label'])
      expect(pack.accuracy({ by })).toEqual(run.accuracy({ by }))
    const table = async (by: string) => {
      const { stdout } = await geogap(['table', run.dir, '--by', by, '--format', 'json'])
      return (
        JSON.parse(stdout) as { tables: { rows: Record<string, unknown>[]; notes: string[] }[] }
      ).tables[0]!
    }
    const pairs = await table('country,label')
    expect(pairs.rows.find(({ group }) => group === 'Ghana × bed')!['low']).toBeGreaterThan(0)
    expect((await table('country')).notes).toContain(
      'no interval: all images of Kenya are of one household',
    )
  })

  it('are said to be so in the methods', () => {
    const text = methodsText(describeMethods(run))
    expect(text).toContain('intervals on world are over households')
    expect(text).not.toContain('too narrow')
  })
})
