import { unknownNameError } from '../../lib/errors.ts'
import type { Benchmark } from './benchmark.ts'
import { dollarstreet } from './dollarstreet.ts'
import { geode } from './geode.ts'
import { imagenet1k } from './imagenet1k.ts'
import { imagenetA } from './imagenetA.ts'
import { imagenetC } from './imagenetC.ts'
import { imagenetR } from './imagenetR.ts'
import { imagenetSketch } from './imagenetSketch.ts'
import { imagenetV2 } from './imagenetV2.ts'
import { objectnet } from './objectnet.ts'

/** Every benchmark that geogap knows by name. */
export const benchmarks: readonly Benchmark[] = [
  imagenet1k,
  imagenetV2,
  imagenetSketch,
  imagenetR,
  imagenetA,
  imagenetC,
  objectnet,
  dollarstreet,
  geode,
]

/** Names of the benchmarks, without their variants. */
export const benchmarkNames: readonly string[] = benchmarks.map(({ name }) => name)

const benchmarkAliases: Record<string, string> = {
  imagenet: 'imagenet-1k',
  imagenetv2: 'imagenet-v2',
  sketch: 'imagenet-sketch',
  'dollar-street': 'dollarstreet',
}

/** The paper's suites; none of them has ImageNet-C, for its size. */
const standardSuite = [
  'imagenet-1k',
  'imagenet-v2',
  'imagenet-sketch',
  'imagenet-r',
  'imagenet-a',
  'objectnet',
]
const geographicSuite = ['dollarstreet', 'geode']
export const suites: Readonly<Record<string, readonly string[]>> = {
  standard: standardSuite,
  geographic: geographicSuite,
  paper: [...standardSuite, ...geographicSuite],
}

/**
 * Splits a name such as `imagenet-c/fog/3` into a benchmark and its variant; undefined when the first part is no
 * benchmark's name, and for a part of a benchmark (`imagenet-c/fog (2 of 5 severities)`). Errors: unknown-variant-of-….
 */
export function findBenchmark(name: string): { benchmark: Benchmark; variant: string } | undefined {
  if (/ \(.*\)$/.test(name)) return undefined
  const [first = '', ...rest] = name.toLowerCase().split('/')
  const benchmark = benchmarks.find(b => b.name === (benchmarkAliases[first] ?? first))
  if (!benchmark) return undefined
  const variant = rest.join('/') || benchmark.variants[0]!
  if (!benchmark.variants.includes(variant))
    throw unknownNameError(`variant of ${benchmark.name}`, variant, benchmark.variants)
  return { benchmark, variant }
}

/** Returns a benchmark and its variant. Errors: unknown-dataset, unknown-variant-of-…. */
export function requireBenchmark(name: string): { benchmark: Benchmark; variant: string } {
  const found = findBenchmark(name)
  if (found) return found
  throw unknownNameError('dataset', name, benchmarkNames)
}

/** Returns the name of the benchmark that is meant by `Dollar Street` or `Dollar_Street`; else the name as it is. */
export function benchmarkName(written: string): string {
  const fold = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '')
  const found = benchmarks.find(({ name, title }) =>
    [name, title].some(known => fold(known) === fold(written)),
  )
  return found?.name ?? written
}
