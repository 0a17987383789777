import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { imagenetWnids } from '../../src/datasets/labels/imagenet.ts'
import { openDataset } from '../../src/datasets/open.ts'
import { createCropPreparer } from '../../src/evaluate/workers/cropBatches.ts'
import { loadModel } from '../../src/models/runtime/loadModel.ts'
import { initialWeights } from '../../src/models/initialWeights.ts'
import { writeSafetensors } from '../../src/lib/tensors/safetensors.ts'
import { resolveModel } from '../../src/models/catalog.ts'
import { readStoredEvaluations, shardPaths } from '../../src/results/storedEvaluations.ts'
import { nativeSteps } from '../../src/lib/pixels/steps.ts'
import { query } from '../../src/lib/sql.ts'
import { lay, makeTar, makeZip } from './fixtures.ts'
import { pooledEvaluate } from '../helpers/pooled.ts'
import { reloadingPool } from '../helpers/reloading.ts'
import { shared, sharedPath } from '../helpers/shared.ts'

const evaluate = pooledEvaluate(reloadingPool())

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-sources-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

interface Prediction {
  id: string
  label: string
  top5: string
  p: number
  rank: number
}

async function predictions(out: string): Promise<Prediction[]> {
  return query(
    `SELECT id, label, array_to_string(top5, ' ') AS top5, probabilities[1] AS p, rank FROM read_parquet($1) ORDER BY label, top5, p`,
    [(await readStoredEvaluations(out)).flatMap(shardPaths)],
  )
}

describe('the same images from a folder, a zip, a tar, WebDataset shards and Parquet', () => {
  it('have the same predictions, row by row', async () => {
    const names = ['tench', 'goldfish']
    const wnids = ['n01440764', 'n01443537']
    const images = await Promise.all(
      Array.from({ length: 12 }, (_, i) => {
        const background = { r: (40 * i) % 256, g: (90 * i + 30) % 256, b: (170 * i + 60) % 256 }
        return sharp({ create: { width: 240, height: 250, channels: 3, background } })
          .jpeg()
          .toBuffer()
      }),
    )
    const files = Object.fromEntries(images.map((bytes, i) => [`${wnids[i % 2]!}/${i}.jpg`, bytes]))
    const members = Object.entries(files).map(([name, content]) => ({ name, content }))
    const shards = [0, 1].map((s): [string, Buffer] => {
      const samples = images.flatMap((bytes, i) =>
        i % 2 === s
          ? [
              [`s${i}.jpg`, bytes],
              [`s${i}.cls`, String(i % 2)],
            ]
          : [],
      )
      const files: Record<string, string | Buffer> = Object.fromEntries(
        samples as [string, string | Buffer][],
      )
      return [`test/${s}.tar`, makeTar(files)]
    })
    lay(join(folder, 'wds'), {
      'classnames.txt': `${[...names, ...imagenetWnids.slice(2)].join('\n')}\n`,
      'test/nshards.txt': '2\n',
      ...Object.fromEntries(shards),
    })
    writeFileSync(join(folder, 'a.zip'), makeZip(members))
    writeFileSync(
      join(folder, 'deflated.zip'),
      makeZip(members.map(member => ({ ...member, deflate: true }))),
    )
    writeFileSync(join(folder, 'a.tar'), makeTar(files))
    const rows = images.map(
      (bytes, i) =>
        `({'bytes': '${[...bytes].map(b => `\\x${b.toString(16).padStart(2, '0')}`).join('')}'::BLOB, 'path': '${i}.jpg'}, ${i % 2})`,
    )
    await query(
      `COPY (SELECT * FROM (VALUES ${rows.join(', ')}) t(image, label)) TO '${join(folder, 'hub.parquet')}' (FORMAT parquet)`,
    )
    const weights = join(folder, 'lcnet.safetensors')
    await writeSafetensors(weights, initialWeights('lcnet_050', 1000, 5))
    const sources = [
      lay(join(folder, 'folder'), files),
      ...['a.zip', 'deflated.zip', 'a.tar', 'hub.parquet'].map(name => join(folder, name)),
    ]
    const results: Prediction[][] = []
    for (const [i, name] of [...sources, join(folder, 'wds')].entries()) {
      const isParquet = name.endsWith('.parquet')
      const labelled = isParquet ? { name, classes: 'imagenet-1k' } : { name, labels: 'imagenet' }
      const out = join(folder, `out-${i}`)
      await evaluate({ models: ['lcnet_050'], weights, datasets: [labelled], out })
      results.push(await predictions(out))
    }
    const plain = (list: Prediction[]) =>
      list.map(({ top5, p, rank }) => ({ top5, p, rank })).sort((a, b) => a.p - b.p)
    for (const result of results) {
      expect(result).toHaveLength(12)
      expect(plain(result)).toEqual(plain(results[0]!))
    }
  })
})

describe.skipIf(!shared)('against shared files (left out: they are not here)', () => {
  it.each(['imagenet-r', 'imagenet-a'])(
    '%s ranks among its 200 classes only, as computed directly',
    async name => {
      const model = 'tf_efficientnet_lite0'
      const weights = sharedPath(`weights/${model}/model.safetensors`)
      const classes = readFileSync(
        new URL(`../../src/datasets/labels/${name}.tsv`, import.meta.url),
        'utf8',
      ).match(/n\d{8}/g)!
      const photos = (await readdir(sharedPath('data/imagenet-samples'))).filter(file =>
        classes.includes(file.slice(0, 9)),
      )
      expect(photos.length).toBeGreaterThan(20)
      const data = join(folder, `data-${name}`)
      for (const file of photos) {
        mkdirSync(join(data, name, file.slice(0, 9)), { recursive: true })
        writeFileSync(
          join(data, name, file.slice(0, 9), file),
          readFileSync(sharedPath(`data/imagenet-samples/${file}`)),
        )
      }
      const out = join(folder, `out-${name}`)
      await evaluate({ models: [model], weights, datasets: [name], data, out })
      const got = new Map(
        (await predictions(out)).map(({ id, top5 }) => [id.slice(-40), Number(top5.split(' ')[0])]),
      )
      const dataset = await openDataset({ name, data })
      const steps = nativeSteps(resolveModel(model).recipe)
      const preparer = await createCropPreparer(steps)
      const session = await loadModel(
        { name: model, architecture: model, classes: 1000, files: [weights] },
        steps,
        { outputs: ['logits'] },
      )
      const allowed = new Set(classes.map(wnid => imagenetWnids.indexOf(wnid)))
      expect(allowed.size).toBe(200)
      const { crops, positions: kept } = await preparer.finish(preparer.begin(dataset.samples, 0))
      const { logits } = await session.run(crops, kept.length)
      let unmaskedDiffers = 0
      for (const [row, at] of kept.entries()) {
        const scores = [...logits!.subarray(row * 1000, (row + 1) * 1000)]
        const best = scores.reduce(
          (top, score, c) =>
            allowed.has(c) && score > (top === -1 ? -Infinity : scores[top]!) ? c : top,
          -1,
        )
        expect(got.get(dataset.samples[at]!.id.slice(-40))).toBe(best)
        if (scores.indexOf(Math.max(...scores)) !== best) unmaskedDiffers += 1
      }
      expect(unmaskedDiffers).toBeGreaterThan(0)
      await session.release()
    },
  )
})
