import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { beforeEach, expect, it, vi } from 'vitest'
import { listDataset, openDataset } from '../../src/datasets/open.ts'
import { lay, makeZip, photo, temporaryFolder } from './fixtures.ts'

const root = temporaryFolder()
const files = { 'n01440764/a.jpg': photo(1), 'n01443537/b.jpg': photo(2) }
let folder: string
let cases = 0

beforeEach(async () => {
  vi.stubEnv('GEOGAP_CACHE', join(root, `cache-${++cases}`))
  folder = lay(join(root, `case-${cases}`), files)
  await wait(60) // older than the time in which a file may change unseen
  return () => vi.unstubAllEnvs()
})

const hashOf = async (name: string, recheck = false): Promise<string> =>
  (await openDataset({ name, recheck })).hash
const rememberedFiles = (): string[] => readdirSync(join(root, `cache-${cases}`, 'images'))

it('equal images have one hash, wherever they lie and whatever their times are', async () => {
  const here = await hashOf(folder)
  const copy = join(root, 'elsewhere')
  cpSync(folder, copy, { recursive: true })
  utimesSync(join(copy, 'n01440764/a.jpg'), 1, 1)
  expect(await hashOf(copy)).toBe(here)
  const zip = join(root, 'images.zip')
  const members = Object.entries(files).map(([name, content]) => ({ name, content, deflate: true }))
  writeFileSync(zip, makeZip(members))
  expect(await hashOf(zip)).toBe(here)
})

it('an image that another of its size replaced is other data, also with its time restored', async () => {
  const before = await openDataset({ name: folder })
  const image = join(folder, 'n01440764/a.jpg')
  const { atime, mtime } = statSync(image)
  writeFileSync(
    image,
    photo(1).map(byte => 255 - byte),
  )
  const replaced = await openDataset({ name: folder })
  expect(replaced.hash).not.toBe(before.hash)
  expect(replaced.sizesHash).toBe(before.sizesHash)
  utimesSync(image, atime, mtime)
  expect(await hashOf(folder)).toBe(replaced.hash)
  writeFileSync(image, photo(1))
  expect(await hashOf(folder)).toBe(before.hash)
})

it('a file that is only touched or moved away and back is hashed again and is the old data', async () => {
  const before = await hashOf(folder)
  utimesSync(join(folder, 'n01440764/a.jpg'), 5, 5)
  renameSync(join(folder, 'n01443537/b.jpg'), join(root, 'b.jpg'))
  cpSync(join(root, 'b.jpg'), join(folder, 'n01443537/b.jpg'))
  expect(await hashOf(folder)).toBe(before)
})

it('remembered hashes are used as long as nothing changed; recheck reads all', async () => {
  const before = await hashOf(folder)
  const [file] = rememberedFiles()
  const cache = join(root, `cache-${cases}`, 'images', file!)
  const text = readFileSync(cache, 'utf8')
  expect(text.split('\n')).toHaveLength(4)
  writeFileSync(cache, text.replace(/"[\w-]{43}"\]/, `"${'A'.repeat(43)}"]`))
  expect(await hashOf(folder)).not.toBe(before)
  expect(await hashOf(folder, true)).toBe(before)
  writeFileSync(cache, 'not a cache')
  expect(await hashOf(folder)).toBe(before)
})

it('a cache that cannot be written, missing images and lists do no harm', async () => {
  const before = await hashOf(folder)
  mkdirSync(join(root, 'blocked'))
  writeFileSync(join(root, 'blocked/images'), '')
  vi.stubEnv('GEOGAP_CACHE', join(root, 'blocked'))
  expect(await hashOf(folder)).toBe(before)
  const listed = await listDataset({ name: folder })
  expect(listed.hash).toBe((await openDataset({ name: folder })).sizesHash)
  const table = lay(join(root, 'gone'), { 'a.csv': 'image,label\nnowhere.jpg,0\n' })
  expect((await openDataset({ name: join(table, 'a.csv') })).sizesHash).toBeUndefined()
})
