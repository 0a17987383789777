/**
 * Seconds and memory of the exact search: 38,000 references, queries of width 512 made up block by block, the 113 nearest,
 * all k of the paper. Run: npx tsx bench/neighbours.ts [queries]
 */
import { type Embeddings, embeddingsOf } from '../src/experiments/embeddings.ts'
import { originsOf } from '../src/experiments/origins.ts'
import { random } from '../src/random.ts'

const [count, width] = [38_000, 512]
const asked = Number(process.argv[2] ?? 20_000)
const draw = random(1, 'bench')
const made = (values: number): Float32Array =>
  Float32Array.from({ length: values }, () => draw() + draw() + draw() - 1.5)

const pool = made(10_000 * width)
const queries: Embeddings = {
  encoder: 'made up',
  count: asked,
  width,
  dtype: 'float32',
  // eslint-disable-next-line @typescript-eslint/require-await
  async *blocks(rows) {
    for (let start = 0; start < asked; start += rows) {
      const taken = Math.min(rows, asked - start)
      const from = (start % 5000) * width
      yield { start, rows: taken, data: pool.subarray(from, from + taken * width) }
    }
  },
}
const regions = Array.from({ length: count }, (_, i) => ['Africa', 'Americas', 'Asia', 'Europe'][i % 4]!)
const references = embeddingsOf(made(count * width), width, 'made up')

const started = performance.now()
const { votes } = await originsOf({ references, regions, queries })
const seconds = (performance.now() - started) / 1000
const peak = process.resourceUsage().maxRSS / 1024
console.log(
  `${asked} queries: ${seconds.toFixed(1)} s, ${peak.toFixed(0)} MB at most; k = 3: ${JSON.stringify(votes[0])}`,
)
