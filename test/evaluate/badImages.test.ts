/** Files that are no pictures, or not whole: a row each with the right code. 100 files with 10 bad ones; GEOGAP_TORTURE=1: 1,000 with 100. */
import { inferDisparities } from '../../src/analysis/inferDisparities.ts'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { initialWeights } from '../../src/models/initialWeights.ts'
import { writeSafetensors } from '../../src/lib/tensors/safetensors.ts'
import { readStoredEvaluations, shardPaths } from '../../src/results/storedEvaluations.ts'
import { openRun } from '../../src/results/run.ts'
import { query } from '../../src/lib/sql.ts'
import { geogap, start } from '../helpers/cli.ts'
import { withCores } from '../helpers/cores.ts'
import { ended, hasProc, workersOf } from '../helpers/evaluation.ts'
import { peakMemory } from '../helpers/memory.ts'
import { measured, scaled } from '../helpers/torture.ts'

const count = scaled(100, 1000)
const bad = count / 10
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-bad-'))
  await mkdir(join(folder, 'images'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const picture = (i: number) =>
  sharp({
    create: {
      width: 90,
      height: 80,
      channels: 3,
      background: { r: i % 256, g: (i * 7) % 256, b: 90 },
    },
  })

/** What a bad file holds, and the codes that name it rightly. */
const kinds: readonly [
  string,
  (i: number) => Promise<Uint8Array | 'folder' | 'nothing'>,
  RegExp,
][] = [
  ['empty', () => Promise.resolve(new Uint8Array()), /^empty-file$/],
  ['text', () => Promise.resolve(Buffer.from('a picture of a cat')), /^unknown-format$/],
  ['page', () => Promise.resolve(Buffer.from('<!doctype html><p>404</p>')), /^unknown-format$/],
  [
    'vector',
    () => Promise.resolve(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>')),
    /^unknown-format$/,
  ],
  ['missing', () => Promise.resolve('nothing'), /^missing-file$/],
  ['folder', () => Promise.resolve('folder'), /^unreadable-file$/],
  ['half a JPEG', async i => half(await picture(i).jpeg().toBuffer()), /^(truncated|corrupt)$/],
  ['half a PNG', async i => half(await picture(i).png().toBuffer()), /^(truncated|corrupt)$/],
  [
    'four gigapixels',
    async i => claiming(await picture(i).png().toBuffer(), 65_000),
    /^(too-large|corrupt)$/,
  ],
  ['bent bytes', async i => bent(await picture(i).png().toBuffer()), /^(corrupt|truncated)$/],
]

const half = (bytes: Buffer): Buffer => bytes.subarray(0, bytes.length >> 1)

function bent(png: Buffer): Buffer {
  const at = png.indexOf('IDAT') + 6
  for (let i = at; i < at + 12; i++) png[i]! ^= 0x5a
  return png
}

/** A PNG whose header claims `side` × `side` pixels, with a right checksum. */
function claiming(png: Buffer, side: number): Buffer {
  png.writeUInt32BE(side, 16)
  png.writeUInt32BE(side, 20)
  png.writeUInt32BE(crc32(png.subarray(12, 29)), 29)
  return png
}

function crc32(bytes: Uint8Array): number {
  let crc = ~0
  for (const byte of bytes) {
    crc ^= byte
    for (let k = 0; k < 8; k++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return ~crc >>> 0
}

const kindOf = (i: number) => (i % 10 === 3 ? kinds[Math.floor(i / 10) % kinds.length] : undefined)

async function lay(i: number): Promise<void> {
  const file = join(folder, 'images', `${i}.jpg`)
  const content = await (kindOf(i)?.[1](i) ?? picture(i).jpeg().toBuffer())
  if (content === 'folder') await mkdir(file)
  else if (content !== 'nothing') await writeFile(file, content)
}

it(
  `${count} files with ${bad} bad ones give a row each, right codes, and a warning`,
  { timeout: 600_000 },
  async () => {
    const rows = Array.from(
      { length: count },
      (_, i) => `p${i},images/${i}.jpg,${i % 7},${kindOf(i) ? 'Africa' : place(i)}`,
    )
    for (let i = 0; i < count; i++) await lay(i)
    await writeFile(join(folder, 'bad.csv'), `id,image,label,region\n${rows.join('\n')}\n`)
    const weights = join(folder, 'lcnet.safetensors')
    await writeSafetensors(weights, initialWeights('lcnet_050', 1000, 5))
    const out = join(folder, 'out')
    const args = [
      '--model',
      'lcnet_050',
      '--weights',
      weights,
      '--dataset',
      join(folder, 'bad.csv'),
      '--out',
      out,
    ]
    const child = start(['evaluate', ...args], { stdio: 'ignore', env: withCores(1) })
    const peak = watchMemory(child.pid!)
    expect(await ended(child)).toBe(0)

    const stored = await query<{ id: string; status: string }>(
      'SELECT id, status FROM read_parquet($1)',
      [(await readStoredEvaluations(out)).flatMap(shardPaths)],
    )
    expect(new Set(stored.map(({ id }) => id)).size).toBe(count)
    expect(stored).toHaveLength(count)
    for (const { id, status } of stored) {
      const kind = kindOf(Number(id.slice(1)))
      expect(status, `${id}: ${kind?.[0] ?? 'whole'}`).toMatch(kind?.[2] ?? /^ok$/)
    }
    const run = await openRun(out)
    expect(run.accuracy()[0]).toMatchObject({ n: count - bad, errors: bad })
    expect((await inferDisparities(run, { by: 'region' }))[0]!.warning).toMatch(
      /^failures differ between groups/,
    )
    const table = await geogap(['table', out, '--format', 'csv'])
    expect(table.stdout).toMatch(
      new RegExp(`errors,of,top1_with_errors,reason,left_out\\n.*,${bad},,`),
    )
    if (hasProc) expect(peak()).toBeLessThan(1e9)
    measured(
      `${count} files with ${bad} bad ones: ${stored.length} rows, peak memory of a process ${(peak() / 1e6).toFixed(0)} MB`,
    )
  },
)

const place = (i: number): string => (i % 2 === 0 ? 'Africa' : 'Europe')

/** The largest memory that the process or one of its workers has had. */
function watchMemory(pid: number): () => number {
  let peak = 0
  const timer = setInterval(() => {
    try {
      for (const one of [pid, ...workersOf(pid)]) {
        peak = Math.max(peak, peakMemory(one))
      }
    } catch {
      if (peak > 0) clearInterval(timer)
    }
  }, 100)
  return () => (clearInterval(timer), peak)
}
