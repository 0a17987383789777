/** Seconds of last-layer retraining: 5 epochs over 10,000 features of width 768. Run: npx tsx bench/lastLayer.ts [classes] */
import { retrainHead } from '../src/experiments/lastLayer.ts'
import { randomFor } from '../src/lib/random.ts'

const [rows, width] = [10_000, 768]
const classes = Number(process.argv[2] ?? 60)
const draw = randomFor(1, 'bench')
const floats = (count: number): Float32Array =>
  Float32Array.from({ length: count }, () => 2 * draw() - 1)

const features = { width, data: floats(rows * width) }
const labels = Array.from({ length: rows }, (_, i) => i % Math.min(classes, 60))
const head = { classes, width, weight: floats(classes * width), bias: floats(classes) }

const started = performance.now()
const { losses } = await retrainHead({ features, labels, head, seed: 1 })
const seconds = (performance.now() - started) / 1000
console.log(
  `${classes} classes: ${seconds.toFixed(2)} s, losses ${losses.map(loss => loss.toFixed(3)).join(' ')}`,
)
