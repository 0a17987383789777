/*
 * What the parent of many workers costs: shards a minute that it commits, its own CPU time, of all its threads, for a shard and for
 * an image, and how much of that is its main thread. The workers answer at once with made-up predictions (parent.worker.ts) on the cores of this machine.
 *
 *   npx tsx bench/parent.ts [--images 50000] [--processes 16] [--sizes 64,136,392,968]
 */
import os from 'node:os'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Dataset, type Sample } from '../src/datasets/dataset.ts'
import { planDatasetEvaluation, runDatasetEvaluation } from '../src/evaluate/evaluateDataset.ts'
import { completeSettings } from '../src/evaluate/settings.ts'
import { prepareModel } from '../src/models/runtime/prepareModel.ts'
import { imagenetNames } from '../src/datasets/labels/imagenet.ts'
import { folderStorage } from '../src/lib/storage/folder.ts'
import { freshModel, inTemporaryFolder, printTable } from './common.ts'

const { values } = parseArgs({
  options: {
    images: { type: 'string', default: '50000' },
    processes: { type: 'string', default: '16' },
    sizes: { type: 'string', default: '64,136,392,968' },
  },
})
const images = Number(values.images)
os.availableParallelism = () => Number(values.processes)
syncBuiltinESMExports()
process.execArgv.push('--import', new URL('parent.worker.ts', import.meta.url).href)

/** Samples as GeoDE has them: long paths, a region, a country and an income. */
const samples = Array.from({ length: images }, (_, i): Sample => ({
  id: `images/region_${i % 6}/country_${i % 60}/object_${i % 40}/${String(i).padStart(8, '0')}.jpg`,
  image: { kind: 'file', file: `/data/geode/images/${String(i).padStart(8, '0')}.jpg` },
  labels: [i % 1000, (i + 1) % 1000],
  label: `object_${i % 40}`,
  groups: { region: `region ${i % 6}`, country: `country ${i % 60}`, income: i % 977 },
}))
const dataset: Dataset = {
  name: 'made-up',
  samples,
  classes: imagenetNames,
  labelSpace: 'imagenet-1k',
  labelMap: { name: 'original', hash: '' },
  choices: 'all',
  hash: '0',
  columns: ['region', 'country', 'income'],
  problems: [],
}

await inTemporaryFolder(async folder => {
  const rows: string[][] = []
  const prepared = [await prepareModel(await freshModel('lcnet_050', folder))]
  const settings = completeSettings({})
  for (const size of values.sizes.split(',').map(Number)) {
    const part = { spans: [{ start: 0, end: images }], size }
    const work = await planDatasetEvaluation(dataset, prepared, { settings, part })
    let [started, before, first] = [0, process.cpuUsage(), 0]
    let loop = performance.eventLoopUtilization()
    await runDatasetEvaluation(work, folderStorage(join(folder, `of-${size}`)), {
      onProgress: ({ done }) => {
        // Half of the images are a warm-up, in which processes still start.
        if (first > 0 || done < images / 2) return
        ;[started, before, first] = [performance.now(), process.cpuUsage(), done]
        loop = performance.eventLoopUtilization()
      },
    })
    const ms = performance.now() - started
    const { active } = performance.eventLoopUtilization(loop)
    const { user, system } = process.cpuUsage(before)
    const done = images - first
    const shards = done / size
    rows.push([
      String(size),
      ((shards / ms) * 60_000).toFixed(0),
      ((user + system) / 1e3 / shards).toFixed(1),
      ((user + system) / done).toFixed(1),
      ((active * 1e3) / done).toFixed(1),
    ])
  }
  await printTable(
    [
      'images of a shard',
      'shards a minute',
      'CPU ms a shard',
      'CPU µs an image',
      'main thread, µs an image',
    ],
    rows,
  )
})
