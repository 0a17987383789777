/** Evaluations that write to a disk that is full at some point; GEOGAP_TORTURE=1 tries 40 sizes of it. */
import { spawnSync } from 'node:child_process'
import { cpSync, statSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readRunRecords } from '../../src/results/runRecords.ts'
import { cli, geogap } from '../helpers/cli.ts'
import { useCores, withCores } from '../helpers/cores.ts'
import { smallEvaluation, smallOptions, storedRows } from '../helpers/evaluation.ts'
import { canMount, mounted } from '../helpers/namespace.ts'
import { pooledEvaluate } from '../helpers/pooled.ts'
import { measured, scaled } from '../helpers/torture.ts'

const count = 64
useCores(1)
const env = withCores(1)
const evaluate = pooledEvaluate()
let folder: string
let args: (out: string) => string[]
let whole: string[]
let kilobytes: number
let outs = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-full-'))
  args = await smallEvaluation(folder, count)
  const out = join(folder, 'whole')
  await evaluate(smallOptions(folder, out))
  whole = await storedRows(out)
  const files = await readdir(out, { recursive: true })
  kilobytes = files.reduce(
    (sum, name) => sum + 4 * Math.ceil(statSync(join(out, name)).size / 4096),
    0,
  )
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Fills a disk of $1 KB, and keeps what is there in $2. */
const script = `
  size=$1 kept=$2 disk=$3; shift 3
  mkdir -p "$disk" && mount -t tmpfs -o size="$size"k tmpfs "$disk" || exit 99
  "$@"; code=$?
  cp -r "$disk/out" "$kept"
  exit $code`

/** Evaluates on a disk of its own that has `room`, which `script` takes; returns how that ended and the rows that are stored. */
async function evaluatedOn(room: number, script: string) {
  const [out, disk] = ['kept', 'disk'].map(name => join(folder, `${name}-${outs}`))
  outs += 1
  const words = [String(room), out!, disk!, ...cli, ...args(join(disk!, 'out'))]
  const { status, stderr } = mounted(script, words, env)
  const rows = await storedRows(out!).catch(() => [])
  if (status !== 0) expect(await statesOf(out!)).not.toContain('done')
  expect(rows.filter(row => !whole.includes(row))).toEqual([])
  return { status, stderr, out: out!, rows }
}

const statesOf = async (out: string) => (await readRunRecords(out)).map(({ state }) => state)

/** Evaluates again what a disturbed evaluation left, where there is room. */
async function completes(out: string): Promise<void> {
  expect((await evaluate(smallOptions(folder, out))).failures).toEqual([])
  expect(await storedRows(out)).toEqual(whole)
}

describe.skipIf(!canMount)('a full disk (left out where mounting is not allowed)', () => {
  it('is never called done, is named, and the same command completes when there is room', async () => {
    const sizes = scaled(1, 40)
    const codes: Record<string, number> = {}
    for (let i = 0; i < sizes; i++) {
      const size = 8 + Math.floor(((i + 0.5) * kilobytes) / sizes)
      const { status, stderr, out, rows } = await evaluatedOn(size, script)
      codes[status!] = (codes[status!] ?? 0) + 1
      expect([0, 2], stderr).toContain(status)
      if (status === 0) expect(rows).toEqual(whole)
      else {
        expect(stderr.trimEnd().split('\n').at(-1)).toMatch(
          /^geogap: cannot write .*: no space left on the device \[disk-full\]$/,
        )
      }
      await completes(out)
    }
    measured(
      `${sizes} disks of up to ${kilobytes} KB: evaluations ended with ${JSON.stringify(codes)}, all completed later`,
    )
    expect(codes['2']).toBeGreaterThan(0)
  }, 3_600_000)
})

/** As `script` for a disk of $1 files. */
const inodeScript = script.replace('size="$size"k', 'nr_inodes="$size"')

describe.skipIf(!canMount)('a disk without inodes (left out where mounting is not allowed)', () => {
  it('is named as that, and the same command completes when there are some', async () => {
    for (const inodes of [5, 8]) {
      const { status, stderr, out } = await evaluatedOn(inodes, inodeScript)
      expect([status, stderr]).toEqual([
        2,
        expect.stringMatching(/geogap: cannot write .*: no inode left on the device, which .*\n$/),
      ])
      await completes(out)
    }
  }, 600_000)
})

/** Makes the results read-only when $1 shards are there, and keeps what is there in $2. */
const readOnlyScript = `
  shards=$1 kept=$2 disk=$3; shift 3
  mkdir -p "$disk" && mount -t tmpfs tmpfs "$disk" || exit 99
  "$@" & child=$!
  while [ "$(find "$disk" -path '*/predictions/*.json' | wc -l)" -lt "$shards" ]; do sleep 0.02; done
  until mount -o remount,ro "$disk" 2>/dev/null; do kill -0 $child 2>/dev/null || break; done
  wait $child; code=$?
  cp -r "$disk/out" "$kept"
  exit $code`

describe.skipIf(!canMount)('a folder that becomes read-only midway', () => {
  it('is named, keeps its shards, and the same command completes', async () => {
    const { status, stderr, out, rows } = await evaluatedOn(1, readOnlyScript)
    expect([status, stderr]).toEqual([2, expect.stringMatching(/geogap: .*read-only/i)])
    expect(rows.length).toBeGreaterThan(0)
    await completes(out)
  }, 120_000)
})

describe.skipIf(process.platform === 'win32')('paths at the limit of the system', () => {
  /** Makes a folder whose path has `length` bytes. */
  const deepFolder = async (length: number): Promise<string> => {
    let path = join(folder, 'deep')
    while (length - Buffer.byteLength(path) > 251) path = join(path, 'd'.repeat(200))
    path = join(path, 'e'.repeat(length - Buffer.byteLength(path) - 1))
    await mkdir(path, { recursive: true })
    return path
  }

  it('images at 4,000 bytes are read, results that would be longer are refused by name', async () => {
    const data = join(
      await deepFolder(4000 - '/n01440764/10.png'.length - '/images'.length),
      'images',
    )
    cpSync(join(folder, 'images'), data, { recursive: true })
    const options = { ...smallOptions(folder, join(folder, 'of-deep')), datasets: [data] }
    expect((await evaluate(options)).failures).toEqual([])
    expect(
      (await storedRows(join(folder, 'of-deep'))).map(row => /"status":"\w+"/.exec(row)![0]),
    ).toEqual(Array<string>(count).fill('"status":"ok"'))
    const refused = await geogap(args(await deepFolder(4040)))
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringMatching(
        /geogap: cannot write .*: its path is longer than the file system allows \[write-failed\]\n$/,
      ),
    ])
  }, 120_000)
})

describe.skipIf(process.platform === 'win32')('a limit on the size of files', () => {
  it('fails what DuckDB writes, and the same command completes without it', async () => {
    const out = join(folder, 'limited')
    const words = ['-c', 'ulimit -f 1; exec "$@"', 'bash', ...cli, ...args(out)]
    const ran = spawnSync('bash', words, { encoding: 'utf8', env })
    expect([ran.status, ran.stderr]).toEqual([
      2,
      expect.stringMatching(/geogap: cannot write .*parquet: .*\n$/),
    ])
    expect(await storedRows(out)).toEqual([])
    await completes(out)
  })
})
