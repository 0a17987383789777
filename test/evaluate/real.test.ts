import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { imagenetWnids } from '../../src/datasets/labels/imagenet.ts'
import { openDataset } from '../../src/datasets/open.ts'
import { evaluate } from '../../src/evaluate/evaluate.ts'
import { readStoredEvaluations, shardPaths } from '../../src/results/storedEvaluations.ts'
import { query } from '../../src/lib/sql.ts'
import { type TablesJson } from '../../src/lib/table/writeTables.ts'
import { geogap, start } from '../helpers/cli.ts'
import { shared, sharedPath } from '../helpers/shared.ts'
import { long } from '../helpers/torture.ts'

const model = 'tf_efficientnet_lite0'
const weights = sharedPath(`weights/${model}/model.safetensors`)

/** Share of GeoDE's test part; GEOGAP_EVERY=1 takes all 10,333 images. */
const every = Number(process.env.GEOGAP_EVERY ?? (long ? 8 : 50))

describe.skipIf(!shared)(
  'a real model on real photographs (left out: the shared files are not here)',
  () => {
    let folder: string
    let photos: string[]

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'geogap-real-'))
      photos = (await readdir(sharedPath('data/imagenet-samples'))).sort()
      const rows = photos.map(name =>
        [name, resolve(sharedPath('data/imagenet-samples'), name), name.split('_')[0]].join(','),
      )
      await writeFile(join(folder, 'photos.csv'), ['id,image,label', ...rows, ''].join('\n'))
    })

    afterAll(() => rm(folder, { recursive: true, force: true }))

    it.each(['paper', 'native'] as const)(
      'predicts what PyTorch predicts, %s',
      async preprocessing => {
        const out = join(folder, preprocessing)
        const run = await evaluate({
          models: [model],
          weights,
          datasets: [join(folder, 'photos.csv')],
          preprocessing,
          out,
        })
        const rows = await query<{ id: string; first: number; five: boolean }>(
          'SELECT id, top5[1] AS first, correct5 AS five FROM read_parquet($1)',
          [(await readStoredEvaluations(out)).flatMap(shardPaths)],
        )
        const first = new Map(rows.map(row => [row.id, row.first]))
        const text = await readFile(
          sharedPath(`weights/${model}/expected_${preprocessing}.csv`),
          'utf8',
        )
        const expected = text
          .trim()
          .split('\n')
          .slice(1)
          .map(line => line.split(','))
        expect(expected).toHaveLength(photos.length)
        const clear = expected.filter(row => Number(row[8]) > 0.05)
        expect(clear.length).toBeGreaterThan(300)
        expect(clear.filter(row => first.get(row[0]!) !== Number(row[2]))).toEqual([])
        const share = (hit: (row: string[]) => boolean) =>
          expected.filter(hit).length / expected.length
        const [all] = run.accuracy()
        expect(Math.abs(all!.top1! - share(row => row[1] === row[2]))).toBeLessThan(0.003)
        expect(Math.abs(all!.top5! - share(row => row.slice(2, 7).includes(row[1]!)))).toBeLessThan(
          0.003,
        )
      },
    )

    it(`GeoDE, one image in ${every}: killed in the middle, one row per image afterwards, by region and country`, async () => {
      const data = join(folder, 'data')
      const geode = join(data, 'geode')
      await mkdir(geode, { recursive: true })
      const [header, ...all] = (
        await readFile(sharedPath('data/geode/metadata_test_1k.csv'), 'utf8')
      )
        .trim()
        .split(/\r?\n/)
      expect(all).toHaveLength(10_333)
      const rows = all.filter((_, i) => i % every === 0)
      await writeFile(join(geode, 'index.csv'), [header, ...rows, ''].join('\n'))
      const { regions: regionCount, pairs } = await standIn(geode)
      const out = join(folder, 'geode')
      const command = [
        'evaluate',
        '--model',
        model,
        '--weights',
        weights,
        '--dataset',
        'geode',
        '--data',
        data,
        '--out',
        out,
        '--quiet',
      ]
      const killed = start(command)
      const ended = new Promise(resolve => killed.on('close', resolve))
      while ((await committed(out)) < 1 && killed.exitCode === null) await wait(200)
      killed.kill('SIGKILL')
      await ended
      const before = await committed(out)
      expect(before).toBeGreaterThanOrEqual(1)
      const { code, stderr } = await geogap(command, {})
      expect(stderr).toBe('')
      expect(code).toBe(0)
      const [entry] = await readStoredEvaluations(out)
      const [counts] = await query<{ rows: number; ids: number; ok: number }>(
        "SELECT count(*)::INT AS rows, count(DISTINCT id)::INT AS ids, count_if(status = 'ok')::INT AS ok FROM read_parquet($1)",
        [shardPaths(entry!)],
      )
      expect(counts).toEqual({ rows: rows.length, ids: rows.length, ok: rows.length })
      const table = await geogap(['table', out, '--by', 'region,country', '--format', 'json'])
      const [accuracy] = (JSON.parse(table.stdout) as TablesJson).tables
      const groups = accuracy!.rows as { group: string; n: number }[]
      expect(groups.reduce((sum, { n }) => sum + n, 0)).toBe(rows.length)
      expect(groups).toHaveLength(pairs)
      const byRegion = await geogap(['table', out, '--by', 'region', '--format', 'json'])
      const [regions, disparity] = (JSON.parse(byRegion.stdout) as TablesJson).tables
      expect(regions!.rows).toHaveLength(regionCount)
      expect(disparity!.rows).toHaveLength(1)
    }, 1_500_000)

    /** Links every image of the metadata to a photograph of an accepted class, else to any; counts regions and countries. */
    async function standIn(geode: string): Promise<{ regions: number; pairs: number }> {
      const dataset = await openDataset({ name: join(geode, 'index.csv') })
      const byClass = new Map(
        photos.map(name => [imagenetWnids.indexOf(name.split('_')[0]!), name]),
      )
      for (const [i, { image, labels }] of dataset.samples.entries()) {
        const photo =
          labels.map(label => byClass.get(label)).find(name => name !== undefined) ??
          photos[i % photos.length]!
        await mkdir(dirname(image.file), { recursive: true })
        await symlink(resolve(sharedPath('data/imagenet-samples'), photo), image.file)
      }
      const places = dataset.samples.map(({ groups }) => [groups['region'], groups['country']])
      return {
        regions: new Set(places.map(([region]) => region)).size,
        pairs: new Set(places.map(place => place.join('\n'))).size,
      }
    }
  },
)

/** Shards with a manifest so far. */
async function committed(out: string): Promise<number> {
  const entries = await readStoredEvaluations(out).catch(() => [])
  return entries.reduce((sum, { shards }) => sum + shards.length, 0)
}
