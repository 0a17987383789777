/**
 * Images that `--until` needs, with and without the outcomes of models that are done: on simulated models of known
 * correlation, and on the outcomes of one real model under two preprocessings where the shared files are there.
 *
 *   npx tsx bench/until.ts
 */
import { existsSync, readFileSync } from 'node:fs'
import { anytimeInterval } from '../src/metrics/anytime.ts'
import { fillNormal } from '../src/metrics/samplers.ts'
import { type Random, randomFrom } from '../src/lib/random.ts'

const rows = 20

function main(): void {
  console.log(
    '| images | interval | others | correlation | fixed in advance | alone | with others | ratio |',
  )
  console.log('| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |')
  for (const [images, halfWidth] of [
    [10_000, 0.01],
    [10_000, 0.02],
    [50_000, 0.01],
  ] as const)
    for (const others of [1, 10])
      for (const alike of [0.8, 0.9, 0.95]) simulated(images, halfWidth, others, alike)
  real()
}

function simulated(images: number, halfWidth: number, others: number, alike: number): void {
  const [outcomes, ...known] = world(randomFrom(4), images, others + 1, alike, 0.6)
  report(outcomes!, known, halfWidth)
}

/** Outcomes of models that share `alike` of what makes an image hard. */
function world(
  random: Random,
  images: number,
  models: number,
  alike: number,
  ease: number,
): number[][] {
  const hardness = fillNormal(new Float64Array(images), random)
  return Array.from({ length: models }, () => {
    const own = fillNormal(new Float64Array(images), random)
    return Array.from(hardness, (x, i) =>
      Number(ease + Math.sqrt(alike) * x + Math.sqrt(1 - alike) * own[i]! > 0),
    )
  })
}

function real(): void {
  const [paper, native] = ['paper', 'native'].map(mode => {
    const file = new URL(
      `../../shared/weights/tf_efficientnet_lite0/expected_${mode}.csv`,
      import.meta.url,
    )
    return existsSync(file) ? hitsOf(readFileSync(file, 'utf8')) : undefined
  })
  if (!paper || !native) {
    console.log('left out: the shared outcomes of the real model are not here')
    return
  }
  const random = randomFrom(1)
  const order = native.map((_, i) => ({ i, at: random() })).sort((a, b) => a.at - b.at)
  const shuffled = (hits: readonly number[]): number[] => order.map(({ i }) => hits[i]!)
  for (const halfWidth of [0.03, 0.05]) report(shuffled(paper), [shuffled(native)], halfWidth)
  for (const halfWidth of [0.03, 0.05]) report(shuffled(native), [shuffled(paper)], halfWidth)
}

const hitsOf = (csv: string): number[] =>
  csv
    .trim()
    .split('\n')
    .slice(1)
    .map(line => line.split(','))
    .map(row => Number(row[1] === row[2]))

function report(
  outcomes: readonly number[],
  known: readonly (readonly number[])[],
  halfWidth: number,
): void {
  const images = outcomes.length
  const bins = outcomes.map((_, i) => known.reduce((sum, model) => sum + model[i]!, 0))
  const [alone, together] = [new Uint8Array(images), bins].map(of =>
    needed(outcomes, of, halfWidth),
  )
  const p = mean(outcomes)
  const free = (1.96 ** 2 * p * (1 - p)) / halfWidth ** 2
  const cells = [
    ...[images, `±${100 * halfWidth}`, known.length, correlation(outcomes, known[0]!).toFixed(2)],
    ...[Math.round(free / (1 + free / images)), alone!, together!, (together! / alone!).toFixed(2)],
  ]
  console.log(`| ${cells.join(' | ')} |`)
}

/** The first of `images / rows` looks at which the interval is narrow enough, found by halving. */
function needed(outcomes: readonly number[], bins: ArrayLike<number>, halfWidth: number): number {
  let [few, enough] = [0, outcomes.length]
  while (enough - few > Math.max(1, outcomes.length / (rows * 20))) {
    const middle = (few + enough) >> 1
    const [low, high] = anytimeInterval(
      { outcomes: outcomes.slice(0, middle), bins },
      { target: halfWidth },
    )
    if (high - low <= 2 * halfWidth) enough = middle
    else few = middle
  }
  return enough
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

function correlation(a: readonly number[], b: readonly number[]): number {
  const [p, q] = [mean(a), mean(b)]
  return (mean(a.map((value, i) => value * b[i]!)) - p * q) / Math.sqrt(p * (1 - p) * q * (1 - q))
}

main()
