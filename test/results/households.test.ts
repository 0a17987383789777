import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeMethods, methodsText } from '../../src/analysis/citing/methods.ts'
import { readPack, writePack } from '../../src/analysis/pack.ts'
import { accuracy } from '../../src/metrics/accuracy.ts'
import { openDashboardStore } from '../../src/dashboard/store.ts'
import { modelView } from '../../src/dashboard/views.ts'
import {
  type GroupAccuracyRow,
  openRun,
  openRunByColumns,
  type Run,
} from '../../src/results/run.ts'
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
  })

  it('have intervals over households by pairs of columns, in either order, as a table of the pair has', async () => {
    const by = ['country', 'label']
    const pairs = run.accuracy({ by })
    const [bed] = pairs
    const [low, high] = accuracy({ n: 100, top1: 60 }).interval!
    expect(bed!.high! - bed!.low!).toBeGreaterThan(2 * (high - low))
    const options = { columns: by, exclude: undefined }
    expect(pairs).toEqual((await openRunByColumns(run.dir, options)).accuracy({ by }))
    const reversed = run.accuracy({ by: ['label', 'country'] })
    expect(reversed.find(({ group }) => group === 'bed × Ghana')).toMatchObject({
      low: bed!.low,
      high: bed!.high,
    })
  })

  it('have those of tables in the dashboard, overall, by group and under a filter', async () => {
    const counts = (await openDashboardStore(run.dir)).counts('world')
    const row = ({
      top1,
      low,
      high,
      reason,
    }: Pick<GroupAccuracyRow, 'top1' | 'low' | 'high' | 'reason'>) => ({
      top1,
      low: low === null ? null : (expect.closeTo(low, 6) as number),
      high: high === null ? null : (expect.closeTo(high, 6) as number),
      reason,
    })
    const view = modelView(counts, 'first', {})
    expect(view.overall).toMatchObject(row(run.accuracy()[0]!))
    for (const by of ['region', 'country', 'label'] as const)
      expect(view.groups[by]).toMatchObject(run.accuracy({ by }).map(row))
    const beds = modelView(counts, 'first', { label: 'bed' }).groups.country!
    const pairs = run.accuracy({ by: ['country', 'label'] })
    const alone = pairs.filter(({ groups }) => groups['label'] === 'bed')
    expect(beds.map(({ top1 }) => top1)).toEqual(alone.map(({ top1 }) => top1))
    expect(beds[0]!.high! - beds[0]!.low!).toBeGreaterThan(0.3)
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
