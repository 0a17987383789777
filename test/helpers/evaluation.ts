/** An evaluation as a process of its own, for tests that kill, stop or starve it. */
import { type ChildProcess } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import sharp from 'sharp'
import { type EvaluateOptions } from '../../src/evaluate/evaluate.ts'
import { initialWeights } from '../../src/models/initialWeights.ts'
import { writeSafetensors } from '../../src/lib/tensors/safetensors.ts'
import { readStoredEvaluations, shardPaths } from '../../src/results/storedEvaluations.ts'
import { query } from '../../src/lib/sql.ts'
import { lay } from '../datasets/fixtures.ts'

const wnids = ['n01440764', 'n01443537', 'n01484850']

/** A folder of `count` small pictures of ImageNet classes, and untrained weights. */
export async function smallWorld(
  folder: string,
  count: number,
): Promise<{ images: string; weights: string }> {
  const pictures = await Promise.all(
    Array.from({ length: count }, (_, i) => {
      const background = { r: (i * 37) % 256, g: (i * 91) % 256, b: (i * 53) % 256 }
      return sharp({ create: { width: 40, height: 36, channels: 3, background } })
        .png()
        .toBuffer()
    }),
  )
  const images = lay(
    join(folder, 'images'),
    Object.fromEntries(pictures.map((bytes, i) => [`${wnids[i % 3]!}/${i}.png`, bytes])),
  )
  const weights = join(folder, 'lcnet.safetensors')
  await mkdir(folder, { recursive: true })
  await writeSafetensors(weights, initialWeights('lcnet_050', 1000, 5))
  return { images, weights }
}

/** The arguments that evaluate a small world. */
export async function smallEvaluation(
  folder: string,
  count: number,
): Promise<(out: string) => string[]> {
  const { images, weights } = await smallWorld(folder, count)
  return out => [
    ...['evaluate', '--model', 'lcnet_050', '--weights', weights, '--dataset', images],
    ...['--batch', '2', '--out', out],
  ]
}

/** What the arguments of `smallEvaluation` ask for, as options of `evaluate`. */
export const smallOptions = (folder: string, out: string): EvaluateOptions => ({
  models: ['lcnet_050'],
  weights: join(folder, 'lcnet.safetensors'),
  datasets: [join(folder, 'images')],
  batch: 2,
  out,
})

/** Every stored row as text, by model and image: equal lists are equal results. */
export async function storedRows(out: string): Promise<string[]> {
  const lists: string[][] = []
  for (const entry of await readStoredEvaluations(out)) {
    const rows = await query<{ row: string }>(
      'SELECT to_json(r)::VARCHAR AS row FROM read_parquet($1, filename = false) r ORDER BY id',
      [shardPaths(entry)],
    )
    lists.push(rows.map(({ row }) => `${entry.identity.model} ${row}`))
  }
  return lists.flat().sort()
}

/** Names of the committed shards, `00000000-00000064`. */
export async function shardNames(out: string): Promise<string[]> {
  const names = await readdir(join(out, 'predictions'), { recursive: true }).catch(() => [])
  return names
    .filter(name => name.endsWith('.json'))
    .map(name => name.slice(name.lastIndexOf('/') + 1, -'.json'.length))
}

/** Waits until `true`; fails after `seconds`. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  seconds = 60,
): Promise<void> {
  const end = Date.now() + seconds * 1000
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`)
    await wait(20)
  }
}

export const ended = (child: ChildProcess): Promise<number | string | null> =>
  new Promise(resolve => child.once('close', (code, signal) => resolve(code ?? signal)))

/** Whether processes can be looked up here. */
export const hasProc = existsSync('/proc/self/task')

/** The processes that infer for `pid`. */
export const workersOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .split(' ')
    .filter(
      child =>
        child !== '' && readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('workers/worker'),
    )
    .map(Number)

/** A zombie counts as gone: it does nothing any more. */
export function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
