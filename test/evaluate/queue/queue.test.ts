import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readStoredEvaluations, shardPaths } from '../../../src/results/storedEvaluations.ts'
import { query } from '../../../src/lib/sql.ts'
import { hasRedis } from './redis.ts'
import { type Torture, torture } from './torture.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-queue-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const full: Torture = {
  workers: 5,
  units: 500,
  kills: 100,
  stops: 20,
  restarts: 10,
  wait: 1500,
  lock: 2000,
  pause: 1000,
}
const small: Torture = {
  workers: 3,
  units: 30,
  kills: 4,
  stops: 1,
  restarts: 1,
  wait: 150,
  lock: 700,
  pause: 700,
}

describe.skipIf(!hasRedis)(
  'a run by workers that are killed (left out: no redis-server here)',
  () => {
    it('every unit is stored once, whole and alike, and the poison unit is set apart', async () => {
      const plan = process.env.GEOGAP_TORTURE ? full : small
      const [place, redis] = [join(folder, 'place'), join(folder, 'redis')]
      await mkdir(redis)
      const { driven, seconds, blows } = await torture(place, redis, plan)
      console.log(
        `${plan.units} units by ${plan.workers} workers in ${seconds.toFixed(0)} s: ${JSON.stringify(blows)}`,
      )
      expect(driven.outcome).toBe('done')
      expect(driven.failedUnits).toMatchObject([
        { start: 8, end: 12, tries: 3, error: 'this unit is poison' },
      ])
      const [entry] = await readStoredEvaluations(place)
      expect(entry!.shards).toHaveLength(plan.units - 1)
      const names = (await readdir(entry!.folder)).filter(name => name.endsWith('.json'))
      expect(names).toHaveLength(plan.units - 1)
      const rows = await query<{ id: string; first: number }>(
        'SELECT id, top5[1] AS first FROM read_parquet($1) ORDER BY id',
        [shardPaths(entry!)],
      )
      const ids = Array.from({ length: 4 * plan.units }, (_, i) => i).filter(i => i < 8 || i > 11)
      expect(new Map(rows.map(({ id, first }) => [id, first]))).toEqual(
        new Map(ids.map(i => [`image ${i}`, i % 7])),
      )
      expect(rows).toHaveLength(ids.length)
      expect(blows).toEqual({
        kill: plan.kills,
        stop: plan.stops,
        restart: plan.restarts,
        flush: 1,
      })
    }, 1_200_000)
  },
)
