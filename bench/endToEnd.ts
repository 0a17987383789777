/*
 * Images a second from JPEG files to predictions on disk, against timm in PyTorch (peer_timm.py; the better of eager and compiled
 * with freezing, with one or two loading processes, found first), in turn. Start-up is left out on both sides: the clock starts when the first
 * batch is done.
 *
 *   npx tsx bench/endToEnd.ts PYTHON MODEL… [--images 160] [--rounds 3] [--eager]
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import {
  endToEnd,
  inChild,
  inTemporaryFolder,
  inTurn,
  photographs,
  printTable,
  writeManifest,
} from './common.ts'

const self = fileURLToPath(import.meta.url)
const peer = fileURLToPath(new URL('peer_timm.py', import.meta.url))
const { values, positionals } = parseArgs({
  options: {
    images: { type: 'string', default: '160' },
    rounds: { type: 'string', default: '3' },
    eager: { type: 'boolean', default: false },
  },
  allowPositionals: true,
})
const images = Number(values.images)

interface Way {
  mode: 'eager' | 'compile'
  workers: number
}

/** The faster of both modes with one loading process, and then of one and two of them. */
async function fastest(run: (way: Way) => () => Promise<number>): Promise<Way> {
  const measured = async (way: Way) => ({ way, rate: await run(way)() })
  const better = (a: { way: Way; rate: number }, b: { way: Way; rate: number }) =>
    b.rate > a.rate ? b : a
  let best = await measured({ mode: 'eager', workers: 1 })
  if (!values.eager) best = better(best, await measured({ mode: 'compile', workers: 1 }))
  return better(best, await measured({ ...best.way, workers: 2 })).way
}

function timm(
  python: string,
  name: string,
  { mode, workers }: Way,
  photos: readonly string[],
): Promise<number> {
  return new Promise((resolve, reject) => {
    const args = [peer, name, String(images), mode, String(workers), '16']
    const child = spawn(python, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
    child.on('error', reject)
    child.on('close', code =>
      code === 0 ? resolve(Number(text)) : reject(new Error(`${name}: exit code ${code ?? 0}`)),
    )
    child.stdin.end(photos.join('\n'))
  })
}

async function compare(python: string, name: string): Promise<string[]> {
  const photos = await photographs()
  let row: string[] = []
  await inTemporaryFolder(async folder => {
    await writeManifest(join(folder, 'photographs.csv'), photos, images)
    const run = (way: Way) => (): Promise<number> => timm(python, name, way, photos)
    const best = await fastest(run)
    const rates = await inTurn(Number(values.rounds), {
      geogap: () => inChild(self, [name, folder, '--images', values.images]),
      timm: run(best),
    })
    const way = `${best.mode}, ${best.workers} loading`
    row = [
      name,
      rates.geogap.toFixed(1),
      rates.timm.toFixed(1),
      way,
      (rates.geogap / rates.timm).toFixed(2),
    ]
  })
  return row
}

const [first = 'python3', ...names] = positionals
if (first === 'child') await endToEnd(names[1]!, [names[0]!], images)
else {
  const rows: string[][] = []
  for (const name of names) rows.push(await compare(first, name))
  await printTable(['model', 'geogap, images/s', 'timm, images/s', 'the better way', 'ratio'], rows)
}
