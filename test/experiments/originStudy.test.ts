import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runOriginStudy, type OriginStudyOptions } from '../../src/experiments/originStudy.ts'
import { openRun } from '../../src/results/run.ts'
import { makeFigures } from '../../src/report/figures/index.ts'
import { writeParquet } from '../../src/lib/sql.ts'
import { geogap } from '../helpers/cli.ts'
import { writeForeign } from '../models/onnx/foreignGraph.ts'
import { storeRun } from '../helpers/storedRun.ts'
import { writeWorld } from '../helpers/world.ts'
import { writeNpy } from './npyFiles.ts'

const width = 4
const regions = ['Europe', 'Africa', 'Americas', 'Asia']
/** Rows near the axis of their region. */
const near = (axes: readonly number[]): Float32Array =>
  Float32Array.from(
    axes.flatMap((axis, row) => regions.map((_, at) => (at === axis ? 1 : 0.01 * (1 + (row % 5))))),
  )

let folder: string
const file = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-placement-'))
  const axes = Array.from({ length: 40 }, (_, i) => i % 4)
  await writeNpy(file('references.npy'), [40, width], near(axes))
  const columns = [
    { name: 'region', type: 'VARCHAR' as const, values: axes.map(axis => regions[axis]!) },
  ]
  await writeParquet(file('references.parquet'), columns)
  await writeNpy(file('one.npy'), [3, width], near([0, 0, 1]))
  await writeNpy(file('two.npy'), [2, width], near([2, 3]))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const stored = (): OriginStudyOptions => ({
  encoder: 'ViT-L-14',
  reference: file('references.npy'),
  queries: [file('one.npy'), file('two.npy')],
  out: file('out'),
})

describe('placement by stored embeddings', () => {
  it('classifies the queries of all files and records the study that the figure draws', async () => {
    const found = await runOriginStudy(stored())
    expect(found).toMatchObject({ queries: 5, references: 40, skipped: 0, notes: [] })
    expect(found.votes.map(({ k }) => k)).toEqual(Array.from({ length: 19 }, (_, i) => 3 + 2 * i))
    const three = {
      k: 3,
      western: 3,
      westernShare: 0.6,
      regions: { Europe: 2, Africa: 1, Americas: 1, Asia: 1 },
    }
    expect(found.votes[0]).toEqual({ ...three, europeToAfrica: 2 })
    await storeRun([{ model: 'a', dataset: 'b', correct: [true] }], stored().out)
    const [figure] = makeFigures(await openRun(stored().out), 'neighbours')
    expect(figure!.rows.find(row => row['k'] === 3 && row['group'] === 'west')).toMatchObject({
      share: 60,
      queries: 5,
    })
  })

  it('refuses an encoder that is not said, rows without regions, and folders without images', async () => {
    const { encoder, ...silent } = stored()
    await expect(runOriginStudy(silent)).rejects.toThrow(`does not say who made it: --encoder NAME`)
    await writeParquet(file('two.parquet'), [{ name: 'url', type: 'VARCHAR', values: ['a', 'b'] }])
    await expect(runOriginStudy({ ...stored(), reference: file('two.npy') })).rejects.toThrow(
      'no column region in',
    )
    await writeParquet(file('two.parquet'), [
      { name: 'country', type: 'VARCHAR', values: ['Kenya', 'Atlantis'] },
    ])
    const derived = runOriginStudy({
      ...stored(),
      reference: file('two.npy'),
      open: { regions: 'continents-1' },
      ks: [1],
    })
    await expect(derived).resolves.toMatchObject({
      references: 1,
      notes: [expect.stringContaining('1 references')],
    })
    await expect(runOriginStudy({ ...stored(), queries: [folder] })).rejects.toThrow(
      'holds images: --model NAME',
    )
    expect(encoder).toBe('ViT-L-14')
  })
})

describe('placement by images', () => {
  it('embeds references with regions and unlabelled queries once, and refuses embeddings of another encoder', async () => {
    const manifest = await writeWorld(folder, 24)
    await writeForeign(file('embedding'), { kind: 'embedding' })
    await writeFile(file('images/3.png'), 'no picture')
    const open = { classes: file('classes.txt') }
    const images = {
      model: file('embedding'),
      reference: manifest,
      queries: [file('images')],
      open,
      out: file('seen'),
    }
    const found = await runOriginStudy({ ...images, ks: [3, 5] })
    expect(found).toMatchObject({ references: 23, queries: 23, skipped: 1 })
    expect(Object.keys(found.votes[0]!.regions)).toEqual(['Africa', 'Europe'])
    const kept = await readdir(file('seen/features/predictions'))
    expect(kept).toHaveLength(2)
    const reference = join(
      file('seen/features/predictions'),
      kept.find(name => name.includes('world'))!,
    )
    const mixed = runOriginStudy({ ...stored(), reference })
    await expect(mixed).rejects.toThrow('embeddings of different encoders: embedding and ViT-L-14')
  })
})

describe('geogap neighbours', () => {
  it('prints the shares', async () => {
    const { encoder, reference, queries, out } = stored()
    const args = [
      '--encoder',
      encoder!,
      '--reference',
      reference,
      '--query',
      queries.join(','),
      '--out',
      out,
    ]
    const { code, stdout, stderr } = await geogap(['neighbours', ...args, '--k', '3,5'])
    expect([code, stdout.trimEnd().split('\n').length]).toEqual([0, 4])
    expect(stdout).toMatch(/3 +60\.0 +20\.0 +20\.0 +20\.0 +40\.0 +2\.00/)
    expect(stderr).toContain('5 queries among 40 references')
  })
})
