/** A small stored run with pictures, for the dashboard's tests. */
import { mkdir, mkdtemp, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { storeRun } from '../helpers/storedRun.ts'

export interface World {
  /** Temporary folder of everything; the test removes it. */
  folder: string
  results: string
  /** The folder of the images. */
  data: string
}

const places = [
  ['Europe', 'France'],
  ['Africa', 'Kenya'],
  ['Asia', 'India'],
  ['Americas', 'Brazil'],
] as const
const labels = ['stove', 'cup', '<b>lamp</b>']
const images = 240
const markup = '<img src=x onerror=alert(1)>'
const models = ['resnet50', `resnet18 ${markup}`, 'vit_base']
export const secret = 'what lies outside of the data folder'

/** Image 0 is a link to a picture outside of the data folder, image 1 is missing, image 2 is no picture. */
export async function makeWorld(): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'geogap-dashboard-'))
  const data = join(folder, 'data')
  await mkdir(join(folder, 'outside'), { recursive: true })
  await mkdir(data)
  const picture = (i: number) =>
    sharp({
      create: {
        width: 96,
        height: 64,
        channels: 3,
        background: { r: (i * 37) % 256, g: (i * 91) % 256, b: 90 },
      },
    })
      .png()
      .toBuffer()
  await writeFile(join(folder, 'outside', 'private.png'), await picture(7))
  await symlink(join(folder, 'outside', 'private.png'), join(data, '0.png'))
  await writeFile(join(data, '2.png'), secret)
  for (let i = 3; i < images; i++) await writeFile(join(data, `${i}.png`), await picture(i))
  const correct = (model: number, share: (i: number) => number) =>
    Array.from({ length: images }, (_, i) =>
      i === 1 ? null : ((i * 7919 + model * 104729) % 97) / 97 < share(i),
    )
  const results = await storeRun(
    models.flatMap((model, m) => [
      {
        model,
        dataset: 'imagenet-1k',
        correct: correct(m, () => 0.6 + 0.1 * m),
        label: i => labels[i % 3]!,
      },
      {
        model,
        dataset: 'street',
        correct: correct(m + 5, i => 0.75 + 0.08 * m - 0.12 * (i % 4)),
        label: i => labels[Math.floor(i / 4) % 3]!,
        className: index => `class ${index === 1 ? 2 : index}`,
        id: i => (i === 3 ? `${markup}/3.png` : `street/${i}.png`),
        image: i => ({ kind: 'file', file: join(data, `${i}.png`) }),
        groups: i => ({
          region: places[i % 4]![0],
          country: places[i % 4]![1],
          income: 50 + 13 * (i % 80),
        }),
      },
    ]),
    join(folder, 'results'),
  )
  return { folder, results, data }
}
