/** Evaluations that write to a disk that is full at some point; GEOGAP_TORTURE=1 tries 40 sizes of it. */
import { spawnSync } from 'node:child_process'
import { cpSync, statSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readRunRecords } from '../../src/results/runRecords.ts'
import { cli, geogap } from '../helpers/cli.ts'
import { smallEvaluation, storedRows } from '../helpers/evaluation.ts'
import { canMount, mounted } from '../helpers/namespace.ts'
import { measured, scaled } from '../helpers/torture.ts'

const count = 64
let folder: string
let args: (out: string) => string[]
let whole: string[]
let kilobytes: number
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-full-'))
  args = await smallEvaluation(folder, count)
  const out = join(folder, 'whole')
  expect((await geogap(args(out))).code).toBe(0)
  whole = await storedRows(out)
  const files = await readdir(out, { recursive: true })
  kilobytes = files.reduce(
    (sum, name) => sum + 4 * Math.ceil(statSync(join(out, name)).size / 4096),
    0,
  )
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Fills a disk of $1 KB, keeps what is there in $2, gives the disk room, does the same again, keeps that in $3. */
const script = `
  size=$1 first=$2 second=$3 disk=$4; shift 4
  mkdir -p "$disk" && mount -t tmpfs -o size="$size"k tmpfs "$disk" || exit 99
  "$@"; code=$?
  cp -r "$disk/out" "$first"
  mount -o remount,size=64m "$disk"
  "$@" >/dev/null 2>&1 || exit 98
  cp -r "$disk/out" "$second"
  exit $code`

describe.skipIf(!canMount)('a full disk (left out where mounting is not allowed)', () => {
  it('is never called done, is named, and the same command completes when there is room', async () => {
    const sizes = scaled(1, 40)
    const codes: Record<string, number> = {}
    for (let i = 0; i < sizes; i++) {
      const size = 8 + Math.floor(((i + 0.5) * kilobytes) / sizes)
      const [first, second, disk] = ['first', 'second', 'disk'].map(name =>
        join(folder, `${name}-${i}`),
      )
      const ran = mounted(script, [
        String(size),
        first!,
        second!,
        disk!,
        ...cli,
        ...args(join(disk!, 'out')),
      ])
      codes[ran.status!] = (codes[ran.status!] ?? 0) + 1
      expect([0, 2], ran.stderr).toContain(ran.status)
      const kept = await storedRows(first!).catch(() => [])
      if (ran.status === 0) expect(kept).toEqual(whole)
      else {
        expect(ran.stderr.trimEnd().split('\n').at(-1)).toMatch(
          /^geogap: cannot write .*: no space left on the device \[disk-full\]$/,
        )
        expect((await readRunRecords(first!)).map(({ state }) => state)).not.toContain('done')
      }
      expect(kept.filter(row => !whole.includes(row))).toEqual([])
      expect(await storedRows(second!)).toEqual(whole)
    }
    measured(
      `${sizes} disks of up to ${kilobytes} KB: evaluations ended with ${JSON.stringify(codes)}, all completed later`,
    )
    expect(codes['2']).toBeGreaterThan(0)
  }, 3_600_000)
})

/** As `script` for a disk of $1 files. */
const inodeScript = script
  .replace('size="$size"k', 'nr_inodes="$size"')
  .replace('remount,size=64m', 'remount,nr_inodes=100k')

describe.skipIf(!canMount)('a disk without inodes (left out where mounting is not allowed)', () => {
  it('is named as that, and the same command completes when there are some', async () => {
    for (const inodes of [5, 8]) {
      const [first, second, disk] = ['first', 'second', 'disk'].map(name =>
        join(folder, `inodes-${name}-${inodes}`),
      )
      const words = [String(inodes), first!, second!, disk!, ...cli, ...args(join(disk!, 'out'))]
      const ran = mounted(inodeScript, words)
      expect([ran.status, ran.stderr]).toEqual([
        2,
        expect.stringMatching(/geogap: cannot write .*: no inode left on the device, which .*\n$/),
      ])
      const kept = await storedRows(first!).catch(() => [])
      expect(kept.filter(row => !whole.includes(row))).toEqual([])
      expect(await storedRows(second!)).toEqual(whole)
    }
  }, 600_000)
})

/** Makes the results read-only when $1 shards are there, keeps what is there in $2, allows it again, keeps the next run in $3. */
const readOnlyScript = `
  shards=$1 first=$2 second=$3 disk=$4; shift 4
  mkdir -p "$disk" && mount -t tmpfs tmpfs "$disk" || exit 99
  "$@" & child=$!
  while [ "$(find "$disk" -path '*/predictions/*.json' | wc -l)" -lt "$shards" ]; do sleep 0.02; done
  until mount -o remount,ro "$disk" 2>/dev/null; do kill -0 $child 2>/dev/null || break; done
  wait $child; code=$?
  cp -r "$disk/out" "$first"
  mount -o remount,rw "$disk"
  "$@" >/dev/null 2>&1 || exit 98
  cp -r "$disk/out" "$second"
  exit $code`

describe.skipIf(!canMount)('a folder that becomes read-only midway', () => {
  it('is named, keeps its shards, and the same command completes', async () => {
    const paths = ['first', 'second', 'disk'].map(name => join(folder, `read-only-${name}`))
    const ran = mounted(readOnlyScript, ['1', ...paths, ...cli, ...args(join(paths[2]!, 'out'))])
    expect([ran.status, ran.stderr]).toEqual([2, expect.stringMatching(/geogap: .*read-only/)])
    const kept = await storedRows(paths[0]!)
    expect(kept.length).toBeGreaterThan(0)
    expect(kept.filter(row => !whole.includes(row))).toEqual([])
    expect(await storedRows(paths[1]!)).toEqual(whole)
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
    const words = args(join(folder, 'of-deep'))
    words[words.indexOf('--dataset') + 1] = data
    const { code, stderr } = await geogap(words)
    expect([code, stderr.includes('error')]).toEqual([0, false])
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
    const ran = spawnSync('bash', words, { encoding: 'utf8' })
    expect([ran.status, ran.stderr]).toEqual([
      2,
      expect.stringMatching(/geogap: cannot write .*parquet: .*\n$/),
    ])
    cpSync(out, `${out}-kept`, { recursive: true })
    expect(await storedRows(`${out}-kept`)).toEqual([])
    expect((await geogap(args(out))).code).toBe(0)
    expect(await storedRows(out)).toEqual(whole)
  })
})
