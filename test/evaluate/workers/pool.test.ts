import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { builtPath } from '../../../scripts/built.ts'
import { type InferenceGroup, type ShardSample } from '../../../src/evaluate/workers/messages.ts'
import {
  createWorkerPool,
  type WorkerPoolOptions,
  runShards,
  type ShardResult,
} from '../../../src/evaluate/workers/pool.ts'
import { nativeSteps } from '../../../src/lib/pixels/steps.ts'
import { workersOf, hasProc } from '../../helpers/evaluation.ts'
import { classes, writeModel, writeWorld } from '../../helpers/world.ts'

let folder: string
let group: InferenceGroup
let items: ShardSample[]
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-pool-'))
  await writeWorld(folder, 24)
  const { name, architecture, recipe, weights } = await writeModel(join(folder, 'models'))
  const files = weights.from === 'files' ? weights.files : []
  const model = { name, architecture, classes: classes.length, files }
  group = { models: [model], steps: nativeSteps(recipe), choices: 'all', batch: 4, threads: 1 }
  items = Array.from({ length: 24 }, (_, i) => ({
    id: `${i}`,
    image: { kind: 'file', file: join(folder, `images/${i}.png`) },
    labels: [i % 3],
  }))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function outcomesOf(
  options: Partial<WorkerPoolOptions & { items: ShardSample[]; group: InferenceGroup }> = {},
): Promise<ShardResult[]> {
  const results: ShardResult[] = []
  await runShards(options.group ?? group, [{ items: options.items ?? items }], {
    processes: 1,
    ...options,
    onResult: (_, result) => Promise.resolve(void results.push(result)),
  })
  return results
}

const topFives = ({ outcomes }: ShardResult, at?: number): number[] =>
  Array.from(at === undefined ? outcomes[0]!.top5 : outcomes[0]!.top5.subarray(5 * at, 5 * at + 5))

describe('a pool', () => {
  it('gives the outcomes of the batches that are done when it is aborted', async () => {
    const [whole] = await outcomesOf()
    expect(whole!.outcomes[0]!.rank).toHaveLength(24)
    const interrupt = new AbortController()
    const many = { items: Array.from({ length: 20 }, () => items).flat(), signal: interrupt.signal }
    const [part] = await outcomesOf({ ...many, onImages: n => n > 0 && interrupt.abort() })
    const done = part!.outcomes[0]!.rank.length
    expect(done % 4).toBe(0)
    expect(done).toBeGreaterThan(0)
    expect(done).toBeLessThan(many.items.length)
    expect(part!.outcomes[0]!.status).toHaveLength(done)
    const repeated = Array.from({ length: 20 }, () => topFives(whole!)).flat()
    expect(topFives(part!)).toEqual(repeated.slice(0, 5 * done))
    expect(await outcomesOf({ signal: AbortSignal.abort() })).toEqual([])
  })

  it('gives the same outcomes whether images are read as many at a time as are inferred, or more', async () => {
    const lost = items.map((item, i) =>
      i % 5 === 1 ? { ...item, image: { kind: 'file' as const, file: 'none' } } : item,
    )
    const [whole] = await outcomesOf({ items: lost })
    const kept = { keep: 'logits' as const }
    const [ahead] = await outcomesOf({
      items: lost,
      group: { ...group, ...kept, batch: 3, ahead: 16 },
    })
    const { kept: logits, ...rest } = ahead!.outcomes[0]!
    expect(rest).toEqual(whole!.outcomes[0])
    expect(rest.status.filter(status => status === 'missing-file')).toHaveLength(5)
    const best = lost.map((_, i) => {
      const row = logits!.subarray(3 * i, 3 * i + 3)
      return row.indexOf(Math.max(...row))
    })
    expect(best).toEqual(rest.status.map((status, i) => (status === 'ok' ? rest.top5[5 * i] : 0)))
  })

  it.skipIf(!hasProc)(
    'keeps the processes of a group for its next shards, and ends them for another',
    async () => {
      const crew = createWorkerPool()
      const first = await outcomesOf({ pool: crew })
      const kept = workersOf(process.pid)
      expect(kept).toHaveLength(1)
      const second = await outcomesOf({ pool: crew, processes: 2 })
      expect([workersOf(process.pid), second[0]!.outcomes]).toEqual([kept, first[0]!.outcomes])
      expect(crew.take({ ...group, batch: 8 })).toEqual([])
      await vi.waitUntil(() => workersOf(process.pid).length === 0, 10_000)
      await outcomesOf({ pool: crew, signal: AbortSignal.timeout(1) })
      await vi.waitUntil(() => workersOf(process.pid).length === 0, 10_000)
    },
  )

  it.skipIf(!hasProc)('leaves no child when a result cannot be stored', async () => {
    const onResult = () => Promise.reject(new Error('the disk is full'))
    const shards = [{ items }, { items: Array.from({ length: 20 }, () => items).flat() }]
    await expect(runShards(group, shards, { processes: 1, onResult })).rejects.toThrow('full')
    await delay(300)
    await vi.waitUntil(() => workersOf(process.pid).length === 0, 10_000)
  })

  it('gives the images of a child that stands still to another, and loses one image to a decoder that dies and one to a decoder that hangs', async () => {
    const [whole] = await outcomesOf()
    const bad = await Promise.all(
      items.slice(0, 4).map((item, i) => spoiled(item, ['', 'die!', 'hang', ''][i]!)),
    )
    const preload = builtPath('test/evaluate/workers/badDecoder.child.ts')
    // Both wait for seconds, at the same time.
    const stopped = hasProc ? await stoppedChild() : undefined
    vi.stubEnv('NODE_OPTIONS', `--import ${preload}`)
    const [result] = await outcomesOf({ hungAfterMs: 6000, items: bad }).finally(() =>
      vi.unstubAllEnvs(),
    )
    expect(result!.outcomes[0]!.status).toEqual(['ok', 'crashed', 'hung', 'ok'])
    for (const i of [0, 3]) expect(topFives(result!, i)).toEqual(topFives(whole!, i))
    if (!stopped) return
    const [again] = await stopped.results
    expect(again!.outcomes[0]!.status).toEqual(items.map(() => 'ok'))
    expect(topFives(again!)).toEqual(topFives(whole!))
  })
})

/** Evaluates by a child that is stopped after its first batch. */
async function stoppedChild(): Promise<{ results: Promise<ShardResult[]> }> {
  let isStopped = false
  const onImages = (n: number): void => {
    if (n === 0 || isStopped) return
    isStopped = true
    for (const pid of workersOf(process.pid)) process.kill(pid, 'SIGSTOP')
  }
  const results = outcomesOf({ hungAfterMs: 10_000, onImages })
  await vi.waitUntil(() => isStopped, 60_000)
  return { results }
}

/** Writes an image as WebP, which libvips decodes, with some text after its last byte. */
async function spoiled(item: ShardSample, end: string): Promise<ShardSample> {
  if (item.image.kind === 'parquet') return item
  const file = `${item.image.file}.${end}`
  const bytes = await sharp(item.image.file).webp({ lossless: true }).toBuffer()
  await writeFile(file, Buffer.concat([bytes, Buffer.from(end)]))
  return { ...item, image: { kind: 'file', file } }
}
