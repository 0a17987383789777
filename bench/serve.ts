/*
 * Every click of the dashboard over 98 models × 300,000 made-up predictions (29.4 million rows): time for the requests over HTTP and
 * for what the page computes from the answers, and this process's CPU time. Files that the page has are asked for with their ETag. The two models of galleries and comparisons are stored in shards of 1,024 rows.
 *
 *   npx tsx bench/serve.ts CLIENT [share of the images, default 1] [folder to keep the predictions in]
 *
 * CLIENT is the folder of the built client, dist/client.
 */
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { testbed } from '../src/models/testbed.ts'
import { serve } from '../src/dashboard/serve.ts'
import { storeTestbed } from './storedRun.ts'

const [client = 'dist/client', share = '1', kept] = process.argv.slice(2)
const repeats = 20

type LoadView = (view: string, query: Readonly<Record<string, string>>) => Promise<unknown>

/** Imports the page's own module, which computes the views, with what it needs of a browser. */
async function importLoadView(url: string): Promise<LoadView> {
  const { headers } = await fetch(url, { redirect: 'manual' })
  const cookie = headers.get('set-cookie')!.split(';')[0]!
  const fetchPage = globalThis.fetch
  const inPage = (address: string, { headers }: { headers: Record<string, string> }) =>
    fetchPage(new URL(address, url), { headers: { ...headers, cookie } })
  Object.assign(globalThis, { document: { documentElement: { dataset: {} } }, fetch: inPage })
  const module = new URL('../src/dashboard/client/loadView.ts', import.meta.url).href
  return ((await import(module)) as { loadView: LoadView }).loadView
}

async function clicks(url: string): Promise<void> {
  const loadView = await importLoadView(url)
  const [first, second] = testbed().map(({ model }) => model) as [string, string]
  const any = (list: readonly string[], i: number): string => list[i % list.length]!
  const regions = ['Europe', 'Africa', 'Asia', 'Americas']
  const models = testbed().map(({ model }) => model)
  const street = { dataset: 'dollarstreet/household' }
  const geode = { dataset: 'geode' }
  const kinds: Record<string, (i: number) => [string, Record<string, string>]> = {
    progress: () => ['progress', {}],
    models: i => ['scatter', { x: 'imagenet-1k', y: any([street.dataset, geode.dataset], i) }],
    'models, one region and class': i => [
      'scatter',
      { x: 'imagenet-1k', y: street.dataset, region: any(regions, i), label: `class ${i}` },
    ],
    'a model': i => ['model', { ...street, model: any(models, 7 * i) }],
    'a model, one country': i => [
      'model',
      { ...street, model: any(models, i), country: `country ${i}` },
    ],
    'gallery, first page': i => [
      'gallery',
      { ...geode, model: any([first, second], i), region: any(regions, i) },
    ],
    'gallery, all, page 900': i => [
      'gallery',
      { ...geode, model: any([first, second], i), outcome: 'all', page: '900' },
    ],
    'gallery of a cell': i => [
      'gallery',
      { ...street, model: first, country: `country ${i}`, label: `class ${i}`, outcome: 'all' },
    ],
    'compare, new pair': i => ['compare', { ...geode, first, second: any(models, i + 1) }],
    'compare, known pair': i => [
      'compare',
      { ...geode, first, second, by: any(['region', 'country', 'label'], i) },
    ],
    'differing images': i => ['flips', { ...geode, first, second, region: any(regions, i) }],
  }
  for (const [name, make] of Object.entries(kinds)) {
    const times: number[] = []
    const before = process.cpuUsage()
    for (let i = 0; i < repeats; i++) {
      const [view, query] = make(i)
      const start = performance.now()
      await loadView(view, query)
      times.push(performance.now() - start)
    }
    const used = process.cpuUsage(before)
    const cpu = (used.user + used.system) / 1e3 / repeats
    const [firstMs = 0] = times
    times.sort((a, b) => a - b)
    const [median, longest] = [times[repeats >> 1]!, times.at(-1)!].map(ms =>
      ms.toFixed(0).padStart(6),
    )
    console.log(
      `${name.padEnd(32)}first ${firstMs.toFixed(0).padStart(6)} ms  median ${median!} ms  longest ${longest!} ms  CPU ${cpu.toFixed(0).padStart(5)} ms each`,
    )
  }
}

const dir = kept ?? (await mkdtemp(join(tmpdir(), 'geogap-serve-')))
try {
  if (!(await stat(join(dir, 'predictions')).catch(() => undefined)))
    console.log(
      `${(await storeTestbed(dir, Number(share), { sharded: 2 })).toLocaleString('en')} rows; ${cpus().length} cores`,
    )
  const [start, before] = [performance.now(), process.cpuUsage()]
  const served = await serve(dir, { client })
  const used = process.cpuUsage(before)
  console.log(
    `start: ${((performance.now() - start) / 1e3).toFixed(1)} s, ${((used.user + used.system) / 1e6).toFixed(1)} s of CPU`,
  )
  await clicks(served.url)
  console.log(`memory after all: ${(process.memoryUsage().rss / 2 ** 20).toFixed(0)} MB`)
  await served.close()
} finally {
  if (kept === undefined) await rm(dir, { recursive: true, force: true })
}
