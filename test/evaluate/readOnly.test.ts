/** Data sets, archives, weights and the hub's cache in places that cannot be written. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { resolveModel } from '../../src/models/catalog.ts'
import { cli } from '../helpers/cli.ts'
import { makeZip } from '../datasets/fixtures.ts'
import { smallWorld, storedRows } from '../helpers/evaluation.ts'
import { canMount, mounted } from '../helpers/namespace.ts'

const count = 12
let folder: string
let data: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-read-only-'))
  data = join(folder, 'data')
  const { images, weights } = await smallWorld(data, count)
  const names = readdirSync(images, { recursive: true, encoding: 'utf8' }).filter(name =>
    name.endsWith('.png'),
  )
  const members = names.map(name => ({
    name,
    content: readFileSync(join(images, name)),
    deflate: true,
  }))
  await writeFile(join(data, 'images.zip'), makeZip(members))
  await cacheAsHub(weights)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Puts the weights where the hub's cache keeps those of the catalogue's model. */
async function cacheAsHub(file: string): Promise<void> {
  const { weights } = resolveModel('lcnet_050')
  if (weights.from !== 'hub') throw new Error('lcnet_050 is not on the hub')
  const bytes = readFileSync(file)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const repo = join(data, 'hub', `models--${weights.repo.replace('/', '--')}`)
  const commit = 'c0ffee'.repeat(7).slice(0, 40)
  for (const part of ['blobs', 'refs', `snapshots/${commit}`])
    await mkdir(join(repo, part), { recursive: true })
  await writeFile(join(repo, 'blobs', sha256), bytes)
  await writeFile(join(repo, 'refs/main'), commit)
  await symlink(`../../blobs/${sha256}`, join(repo, `snapshots/${commit}`, weights.file))
}

const script = `
  data=$1; shift
  mount --bind "$data" "$data" && mount -o remount,bind,ro "$data" || exit 99
  touch "$data/new" 2>/dev/null && exit 98
  exec "$@"`

describe.skipIf(!canMount)('read-only data (left out where mounting is not allowed)', () => {
  it.each(['images', 'images.zip'])('%s and cached weights are evaluated', async name => {
    const out = join(folder, `out-${name}`)
    const words = ['evaluate', '--model', 'lcnet_050', '--dataset', join(data, name), '--out', out]
    const ran = mounted(script, [data, ...cli, ...words], {
      HF_HUB_CACHE: join(data, 'hub'),
      HF_HUB_OFFLINE: '1',
      GEOGAP_CACHE: join(data, 'cache'),
    })
    expect([ran.status, ran.stderr]).toEqual([0, expect.any(String)])
    const stored = await storedRows(out)
    expect(stored).toHaveLength(count)
    expect(stored.filter(row => !row.includes('"status":"ok"'))).toEqual([])
  })
})
