/*
 * What everything around inference costs: images a second end to end (endToEnd's way) beside the same graph alone on ready crops, at
 * the best of several batch sizes with all threads in one process or one thread in as many processes; six small models
 * in one command beside one preparation and the sum of their inference; and one small model beside the work of preparing and
 * inferring, each alone on all cores.
 *
 *   npx tsx bench/overhead.ts [MODEL…] [--images 160] [--rounds 3] [--together | --ways | --work]
 */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { modelCost } from '../src/models/modelCost.ts'
import { loadModelSpec } from '../src/models/loadModelSpec.ts'
import {
  cores,
  endToEnd,
  freshModel,
  graphAlone,
  inChild,
  inTemporaryFolder,
  inTurn,
  photographs,
  printTable,
  writeManifest,
} from './common.ts'

const self = fileURLToPath(import.meta.url)
const prepareBench = fileURLToPath(new URL('prepare.ts', import.meta.url))
const usual = [
  'mobilenetv3_small_100',
  'resnet50',
  'regnety_032',
  'convnext_small',
  'vit_base_patch16_224',
]
const six = [
  'lcnet_050',
  'mobilenetv3_small_100',
  'tinynet_a',
  'resnet18',
  'regnety_004',
  'tf_efficientnet_lite0',
]
const { values, positionals } = parseArgs({
  options: {
    images: { type: 'string', default: '160' },
    rounds: { type: 'string', default: '3' },
    together: { type: 'boolean', default: false },
    ways: { type: 'boolean', default: false },
    work: { type: 'boolean', default: false },
  },
  allowPositionals: true,
})
const images = Number(values.images)

interface Found {
  rate: number
  way: string
}

/** Rates of `alone` by batch size and way to use the cores. */
async function ways(folder: string, name: string, batches: readonly string[]): Promise<Found[]> {
  const found: Found[] = []
  for (const batch of batches)
    for (const processes of cores > 1 ? [1, cores] : [1]) {
      const threads = String(Math.floor(cores / processes))
      const rates = await Promise.all(
        Array.from({ length: processes }, () =>
          inChild(self, ['alone', folder, batch, threads, name]),
        ),
      )
      const rate = rates.reduce((sum, one) => sum + one, 0)
      found.push({ rate, way: `batch ${batch}, ${processes} × ${threads} threads` })
    }
  return found
}

const best = async (folder: string, name: string): Promise<Found> =>
  (await ways(folder, name, ['4', '8', '16'])).reduce((a, b) => (b.rate > a.rate ? b : a))

/** What the planner's rules for batches, processes and threads are checked by. */
async function allWays(names: readonly string[]): Promise<void> {
  const rows: string[][] = []
  let head: string[] = []
  for (const name of names)
    await withPhotographs(async folder => {
      const found = await ways(folder, name, ['1', '2', '4', '8', '16', '32'])
      head = found.map(({ way }) => way)
      rows.push([name, ...found.map(({ rate }) => rate.toFixed(1))])
    })
  await printTable(['images/s of the graph alone', ...head], rows)
}

async function withPhotographs(work: (folder: string) => Promise<void>): Promise<void> {
  const photos = await photographs()
  await inTemporaryFolder(async folder => {
    await writeManifest(join(folder, 'photographs.csv'), photos, images)
    await work(folder)
  })
}

const through = (folder: string, names: readonly string[]) => (): Promise<number> =>
  inChild(self, ['through', folder, '--images', values.images, ...names])

async function overhead(names: readonly string[]): Promise<void> {
  const rows: string[][] = []
  for (const name of names)
    await withPhotographs(async folder => {
      await freshModel(name, folder)
      let way = ''
      const rates = await inTurn(Number(values.rounds), {
        graph: async () => {
          const found = await best(folder, name)
          way = found.way
          return found.rate
        },
        whole: through(folder, [name]),
      })
      const cost = (modelCost(await loadModelSpec(name)).multiplyAdds / 1e9).toFixed(1)
      const figures = [rates.graph, rates.whole, rates.graph / rates.whole].map(value =>
        value.toFixed(2),
      )
      rows.push([name, cost, way, ...figures])
    })
  await printTable(
    ['model', 'GMAC', 'the graph at its best', 'images/s', 'end to end', 'overhead'],
    rows,
  )
}

async function together(): Promise<void> {
  await withPhotographs(async folder => {
    const files = (await photographs()).slice(0, 100)
    for (const name of six) await freshModel(name, folder)
    const times = await inTurn(Number(values.rounds), {
      parts: async () => {
        let time = (await inChild(prepareBench, ['crop', ...files])) / cores
        for (const name of six) time += 1e3 / (await best(folder, name)).rate
        return time
      },
      whole: async () => 1e3 / (await through(folder, six)()),
    })
    const figures = [times.parts, times.whole].map(value => value.toFixed(2))
    await printTable(
      ['six small models', 'one preparation and their inference, ms', 'one command, ms', 'ratio'],
      [[six.join(', '), ...figures, (times.whole / times.parts).toFixed(2)]],
    )
  })
}

/** Milliseconds of a core that an image takes, by a child for each core at the same time. */
async function onAllCores(child: () => Promise<number>): Promise<number> {
  const times = await Promise.all(Array.from({ length: cores }, child))
  return times.reduce((sum, time) => sum + time, 0) / cores
}

async function work(names: readonly string[]): Promise<void> {
  const rows: string[][] = []
  const files = (await photographs()).slice(0, 100)
  for (const name of names)
    await withPhotographs(async folder => {
      await freshModel(name, folder)
      const times = await inTurn(Number(values.rounds), {
        prepare: () => onAllCores(() => inChild(prepareBench, ['crop', ...files])),
        infer: () =>
          onAllCores(async () => 1e3 / (await inChild(self, ['alone', folder, '4', '1', name]))),
        whole: async () => 1e3 / (await through(folder, [name])()),
      })
      const parts = (times.prepare + times.infer) / cores
      const figures = [times.prepare, times.infer, parts, times.whole, times.whole / parts]
      rows.push([name, ...figures.map(value => value.toFixed(2))])
    })
  await printTable(
    ['model', 'prepare, ms of a core', 'infer', 'both on all cores', 'end to end, ms', 'ratio'],
    rows,
  )
}

const [first, ...rest] = positionals
if (first === 'child' && rest[0] === 'through') await endToEnd(rest[1]!, rest.slice(2), images)
else if (first === 'child')
  await graphAlone(rest[1]!, rest[4]!, { batch: Number(rest[2]), threads: Number(rest[3]) })
else if (values.together) await together()
else if (values.work) await work(positionals.length > 0 ? positionals : usual.slice(0, 1))
else if (values.ways) await allWays(positionals.length > 0 ? positionals : usual)
else await overhead(positionals.length > 0 ? positionals : usual)
