/*
 * Every click of the dashboard over 98 models × 300,000 made-up predictions (29.4 million rows): time from request to answer over
 * HTTP, and this process's CPU time. The two models of galleries and comparisons are stored in shards of 1,024 rows.
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

async function clicks(url: string): Promise<void> {
  const cookie = (await fetch(url, { redirect: 'manual' })).headers
    .get('set-cookie')!
    .split(';')[0]!
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
      const answer = await fetch(
        `${new URL(url).origin}/api/${view}?${new URLSearchParams(query).toString()}`,
        {
          headers: { cookie },
        },
      )
      const text = await answer.text()
      if (!answer.ok) throw new Error(`${name}: ${answer.status} ${text}`)
      times.push(performance.now() - start)
    }
    const used = process.cpuUsage(before)
    const cpu = (used.user + used.system) / 1e3 / repeats
    times.sort((a, b) => a - b)
    const [median, worst] = [times[repeats >> 1]!, times.at(-1)!].map(ms =>
      ms.toFixed(0).padStart(6),
    )
    console.log(
      `${name.padEnd(32)}median ${median!} ms  longest ${worst!} ms  CPU ${cpu.toFixed(0).padStart(5)} ms each`,
    )
  }
}

const dir = kept ?? (await mkdtemp(join(tmpdir(), 'geogap-serve-')))
try {
  if (!(await stat(join(dir, 'predictions')).catch(() => undefined)))
    console.log(
      `${(await storeTestbed(dir, Number(share), 2)).toLocaleString('en')} rows; ${cpus().length} cores`,
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
