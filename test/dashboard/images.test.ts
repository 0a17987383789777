/** Which images the dashboard and its bundles may read, and for how long. */
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { writeBundle } from '../../src/dashboard/bundle.ts'
import { openDashboardStore } from '../../src/dashboard/store.ts'
import { createThumbnails } from '../../src/dashboard/thumbnails.ts'
import { recordOwnImageFolders } from '../../src/results/imageSources.ts'
import { storeRun } from '../helpers/storedRun.ts'

let folder: string
let results: string
const content = 'pictures-4'
const files = ['own/a.png', 'own/link.png', 'private/b.png', 'own/vector.png']
const image = (i: number) => ({ kind: 'file' as const, file: join(folder, files[i]!) })

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-images-'))
  vi.stubEnv('GEOGAP_CACHE', join(folder, 'cache'))
  for (const name of ['own', 'private', 'client']) await mkdir(join(folder, name))
  await writeFile(join(folder, 'client', 'index.html'), '<!doctype html><html lang="en"><head>')
  const picture = sharp({ create: { width: 9, height: 9, channels: 3, background: '#c40' } })
  await picture.png().toFile(image(0).file)
  await picture.png().toFile(image(2).file)
  await symlink(image(2).file, image(1).file)
  await writeFile(image(3).file, '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
  results = await storeRun(
    [{ model: 'resnet50', dataset: 'pictures', correct: files.map(() => true), content, image }],
    join(folder, 'results'),
  )
})

afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

/** What can be read of the four images. */
async function readable(images: readonly string[] = []): Promise<string[]> {
  const store = await openDashboardStore(results, { images })
  const thumbnails = createThumbnails(store)
  try {
    const read = files.map((_, i) =>
      thumbnails.read(content, `image-${i}`).then(
        bytes => Buffer.from(bytes).toString('latin1', 8, 12),
        (error: unknown) => (error as Error).message.replace(/:.*/, ''),
      ),
    )
    return await Promise.all(read)
  } finally {
    thumbnails.close()
  }
}

const outside = 'the image lies outside of the allowed folders'

describe('images of results', () => {
  it('are not read because the results name them', async () => {
    expect(await readable()).toEqual([outside, outside, outside, outside])
    const bundle = writeBundle(results, join(folder, 'bundle'), {
      client: join(folder, 'client'),
      images: true,
    })
    await expect(bundle).rejects.toMatchObject({ code: 'no-images' })
  })

  it('are read if this machine evaluated them itself, and no file outside', async () => {
    const own = { hash: content, samples: [{ image: image(0) }] as never }
    await recordOwnImageFolders(own)
    expect(await readable()).toEqual([
      'WEBP',
      outside,
      outside,
      'SVG is not read; convert the image to PNG, for example with',
    ])
    await recordOwnImageFolders({ hash: 'another', samples: [{ image: image(2) }] as never })
    expect((await readable())[2]).toBe(outside)
    await recordOwnImageFolders({ hash: content, samples: [{ image: image(2) }] as never })
    expect((await readable()).slice(0, 3)).toEqual(['WEBP', 'WEBP', 'WEBP'])
  })

  it('are read from the folders that the reader names', async () => {
    expect((await readable([join(folder, 'private')])).slice(0, 3)).toEqual([
      outside,
      'WEBP',
      'WEBP',
    ])
    const bundle = join(folder, 'bundle')
    await writeBundle(results, bundle, {
      client: join(folder, 'client'),
      images: [join(folder, 'own')],
    })
    const names = await readdir(bundle, { recursive: true })
    expect(
      names.filter(name => name.endsWith('.webp')).map(name => name.replace(/.*\//, '')),
    ).toEqual(['0.webp'])
  })

  it('are given up after a time, and others are read', async () => {
    const own = [join(folder, 'own')]
    const store = await openDashboardStore(results, { images: own })
    const impatient = createThumbnails(store, 1)
    await expect(impatient.read(content, 'image-0')).rejects.toThrow(
      'the image takes more than 0.001 s to decode',
    )
    impatient.close()
    expect((await readable(own))[0]).toBe('WEBP')
  })
})
