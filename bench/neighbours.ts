/*
 * Seconds and memory of the exact search: 38,000 references, queries of width 512 made up block by block, the 113 nearest,
 * all k of the paper; against torch's matrix product and topk, and with --faiss FAISS's flat index (peer_neighbours.py), in
 * turn on as many queries as --compared says. The long run comes last; --queries 0 leaves it out.
 *
 *   npx tsx bench/neighbours.ts PYTHON [--queries 1000000] [--compared 20000] [--rounds 3] [--faiss]
 */
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Embeddings, embeddingsOf } from '../src/experiments/embeddings.ts'
import { classifyOrigins } from '../src/experiments/classifyOrigins.ts'
import { randomFor } from '../src/lib/random.ts'
import { childOf, cores, inTurn, numbersBy, printTable } from './common.ts'

const self = fileURLToPath(import.meta.url)
const peer = fileURLToPath(new URL('peer_neighbours.py', import.meta.url))
const [count, width, nearest, block] = [38_000, 512, 113, 883]
const { values, positionals } = parseArgs({
  options: {
    queries: { type: 'string', default: '1000000' },
    compared: { type: 'string', default: '20000' },
    rounds: { type: 'string', default: '3' },
    faiss: { type: 'boolean', default: false },
  },
  allowPositionals: true,
})

/** Rows of a pool of 10,000 again and again, copied into each block as a file's would be. */
function madeUp(asked: number, pool: Float32Array): Embeddings {
  return {
    encoder: 'made up',
    count: asked,
    width,
    dtype: 'float32',
    // eslint-disable-next-line @typescript-eslint/require-await
    async *blocks(rows) {
      const data = new Float32Array(rows * width)
      const all = pool.length / width
      for (let start = 0; start < asked; start += rows) {
        const taken = Math.min(rows, asked - start)
        for (let row = 0; row < taken; row++) {
          const from = ((start + row) % all) * width
          data.set(pool.subarray(from, from + width), row * width)
        }
        yield { start, rows: taken, data: data.subarray(0, taken * width) }
      }
    },
  }
}

/** Prints seconds and the most memory in MB. */
async function ours(asked: number): Promise<void> {
  const draw = randomFor(1, 'bench')
  const made = (rows: number): Float32Array =>
    Float32Array.from({ length: rows * width }, () => draw() + draw() + draw() - 1.5)
  const queries = madeUp(asked, made(10_000))
  const regions = Array.from(
    { length: count },
    (_, i) => ['Africa', 'Americas', 'Asia', 'Europe'][i % 4]!,
  )
  const references = embeddingsOf(made(count), width, 'made up')
  const started = performance.now()
  await classifyOrigins({ references, regions, queries })
  process.stdout.write(
    `${(performance.now() - started) / 1000} ${process.resourceUsage().maxRSS / 1024}\n`,
  )
}

type Command = [program: string, args: readonly string[]]

async function compare(python: string): Promise<void> {
  const rows = new Map<string, string[]>()
  const run = async (name: string, queries: string, command: Command): Promise<number> => {
    const [seconds, memory] = await numbersBy(...command)
    rows.set(name, [name, queries, '', memory!.toFixed(0)])
    return seconds!
  }
  const search = (queries: string) => () => run('geogap', queries, childOf(self, [queries]))
  const peerSearch = (how: string) => () => {
    const sizes = [count, values.compared, width, nearest, block, cores].map(String)
    return run(how, values.compared, [python, [peer, how, ...sizes]])
  }
  const works: Record<string, () => Promise<number>> = {
    geogap: search(values.compared),
    torch: peerSearch('torch'),
  }
  if (values.faiss) works['faiss'] = peerSearch('faiss')
  const found = await inTurn(Number(values.rounds), works)
  for (const [name, seconds] of Object.entries(found)) rows.get(name)![2] = seconds.toFixed(1)
  const head = ['', 'queries', 'seconds', 'MB at most']
  await printTable(head, [...rows.values()])
  const [asked, compared] = [Number(values.queries), Number(values.compared)]
  if (asked === 0) return
  const minutes = (found['geogap']! * asked) / compared / 60
  process.stderr.write(`\n${asked} queries take about ${minutes.toFixed(0)} minutes\n\n`)
  const seconds = await search(values.queries)()
  await printTable(head, [rows.get('geogap')!.with(2, seconds.toFixed(1))])
}

const [first = 'python3', asked] = positionals
if (first === 'child') await ours(Number(asked))
else await compare(first)
