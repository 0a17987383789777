/** What holds for any input of the numeric core, beside the properties that stand with each module's other tests. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { splitSamples } from '../src/experiments/splits.ts'
import { createGraph, addInput, parameterScope } from '../src/lib/onnx/graph.ts'
import { accuracy, type CountsRow, groupBy, sumCounts } from '../src/metrics/accuracy.ts'
import { disparity, pairDifference } from '../src/metrics/disparity.ts'
import { newcombe, wilson } from '../src/metrics/intervals.ts'
import { netImprovement, progressGap } from '../src/metrics/progress.ts'
import { architectures } from '../src/models/architectures.ts'
import { type NameTable, readParameters } from '../src/lib/tensors/bindWeights.ts'
import { type TensorFile } from '../src/lib/tensors/tensors.ts'
import { planJobs, type ModelTask } from '../src/evaluate/jobs.ts'
import { splitRange } from '../src/lib/ranges.ts'
import { type IndexRange } from '../src/lib/ranges.ts'
import { selectDisjoint, findGaps } from '../src/results/storedEvaluations.ts'
import { centerCrop, resize } from '../src/lib/pixels/steps.ts'
import { made } from './experiments/items.ts'

const share = fc.double({ min: 0, max: 1, noNaN: true })
const shareOf = fc.record({ n: fc.integer({ min: 1, max: 2000 }), part: share })
const hitsOf = ({ n, part }: { n: number; part: number }) => ({ n, hits: Math.floor(part * n) })

describe('intervals', () => {
  it("Wilson's rise with the hits, widen with the confidence and narrow with n", () => {
    const property = fc.property(
      shareOf,
      share,
      fc.integer({ min: 1, max: 500 }),
      (one, part, more) => {
        const { n, hits } = hitsOf(one)
        const [low, high] = wilson(hits, n)!
        const above = wilson(Math.min(n, hits + 1), n)!
        expect(above[0]).toBeGreaterThanOrEqual(low)
        expect(above[1]).toBeGreaterThanOrEqual(high)
        const [low99, high99] = wilson(hits, n, 0.99)!
        expect(low99).toBeLessThanOrEqual(low)
        expect(high99).toBeGreaterThanOrEqual(high)
        const width = (size: number): number => wilson(part * size, size)!.reduce((a, b) => b - a)
        expect(width(n + more)).toBeLessThanOrEqual(width(n) + 1e-12)
      },
    )
    fc.assert(property)
  })

  it("Newcombe's hold the difference, stay in -1 … 1, and swap with their sides", () => {
    const property = fc.property(shareOf.map(hitsOf), shareOf.map(hitsOf), (a, b) => {
      const [low, high] = newcombe(a, b)!
      const difference = a.hits / a.n - b.hits / b.n
      expect(low).toBeGreaterThanOrEqual(-1)
      expect(low).toBeLessThanOrEqual(difference + 1e-12)
      expect(high).toBeGreaterThanOrEqual(difference - 1e-12)
      expect(high).toBeLessThanOrEqual(1)
      const swapped = newcombe(b, a)!
      expect(swapped[0]).toBeCloseTo(-high, 12)
      expect(swapped[1]).toBeCloseTo(-low, 12)
    })
    fc.assert(property)
  })
})

const cells = fc.array(
  fc
    .record({
      region: fc.constantFrom('a', 'b', 'c', null),
      label: fc.constantFrom('x', 'y'),
      errors: fc.nat(9),
    })
    .chain(cell =>
      fc.tuple(fc.nat(200), share, share).map(([n, p, q]): CountsRow => {
        const top5 = Math.floor(p * n)
        return {
          groups: { region: cell.region },
          label: cell.label,
          errors: cell.errors,
          n,
          top5,
          top1: Math.floor(q * top5),
        }
      }),
    ),
  { maxLength: 20 },
)

describe('counts', () => {
  it('of groups and of what has no group add up to those of all cells, whatever the columns', () => {
    const property = fc.property(
      cells,
      fc.subarray(['region', 'label'], { minLength: 1 }),
      (all, by) => {
        const { groups, unknown } = groupBy(all, by)
        expect(sumCounts([...groups, unknown])).toEqual(sumCounts(all))
        for (const counts of groups) {
          const { top1, top5, interval } = accuracy(counts)
          if (top1 === null) expect(counts.n).toBe(0)
          else {
            expect(top1).toBeLessThanOrEqual(top5!)
            expect(interval![0]).toBeLessThanOrEqual(top1)
            expect(interval![1]).toBeGreaterThanOrEqual(top1)
          }
        }
      },
    )
    fc.assert(property)
  })

  it('give as disparity the largest difference of any pair of groups', () => {
    const property = fc.property(
      fc.array(shareOf.map(hitsOf), { minLength: 2, maxLength: 8 }),
      sizes => {
        const groups = sizes.map(({ n, hits }, i) => ({ group: `g${i}`, n, top1: hits }))
        const { disparity: largest, best, worst } = disparity(groups, 1)
        const pairs = groups.flatMap(a =>
          groups.map(b => pairDifference(groups, { pair: [a.group, b.group] }).value!),
        )
        expect(largest).toBeCloseTo(Math.max(...pairs), 12)
        expect(pairDifference(groups, { pair: [best!, worst!] }).value).toBeCloseTo(largest!, 12)
      },
    )
    fc.assert(property)
  })
})

describe('progress', () => {
  it('has no gap to itself, and half the accuracy is half the rate', () => {
    const points = fc.uniqueArray(fc.tuple(fc.nat(1000), fc.nat(1000)), {
      minLength: 3,
      maxLength: 20,
      selector: p => p[0],
    })
    const property = fc.property(points, values => {
      const column = (value: (point: readonly [number, number]) => number) =>
        new Map(values.map((point, i) => [`m${i}`, value(point) / 1000] as const))
      const table = new Map([
        ['imagenet-1k', column(([x]) => x)],
        ['whole', column(([, y]) => y)],
        ['half', column(([, y]) => y / 2)],
      ])
      expect(progressGap(table, { standard: 'whole', geographic: 'whole' }).difference).toBeCloseTo(
        0,
        12,
      )
      const { standard, geographic, ratio } = progressGap(table, {
        standard: 'whole',
        geographic: 'half',
      })
      expect(geographic.slope).toBeCloseTo(standard.slope! / 2, 9)
      if (geographic.slope! > 1e-6) expect(ratio).toBeCloseTo(2, 6)
      const ys = values.map(([, y]) => y / 1000)
      expect(netImprovement(table, 'whole').value).toBeCloseTo(
        Math.max(...ys) - Math.min(...ys),
        12,
      )
    })
    fc.assert(property)
  })
})

it('splits put every image into one part, whole households, by the ids alone', () => {
  const rows = fc
    .array(fc.nat(25), { minLength: 8, maxLength: 80 })
    .filter(houses => new Set(houses).size > 5)
  const property = fc.property(rows, houses => {
    const items = houses.map((house, i) => made(`${i}`, 'stove', { household: `h${house}` }))
    const { train, test } = splitSamples(items)
    const ids = (part: typeof items) => part.map(({ id }) => id).sort()
    expect(ids([...train, ...test])).toEqual(ids(items))
    const held = new Set(test.map(({ groups }) => groups['household']))
    expect(train.filter(({ groups }) => held.has(groups['household']))).toEqual([])
    expect(ids(splitSamples(items.toReversed()).test)).toEqual(ids(test))
  })
  fc.assert(property)
})

const spans = fc
  .array(fc.tuple(fc.nat(2000), fc.integer({ min: 1, max: 300 })), { maxLength: 8 })
  .map(all =>
    all
      .map(([start, length]): IndexRange => ({ start, end: start + length }))
      .filter(({ end }) => end <= 2000),
  )

/** How often each image is covered. */
function coverage(all: readonly IndexRange[], images: number): number[] {
  const times = new Array<number>(images).fill(0)
  for (const { start, end } of all) for (let i = start; i < end; i++) times[i]!++
  return times
}

describe('a plan', () => {
  it('gives every model each missing image once and no other, whatever is done, cut and grouped', () => {
    const task = fc.record({
      done: fc.constantFrom(0, 1),
      crop: fc.constantFrom(224, 256),
      bytes: fc.integer({ min: 1e6, max: 4e8 }),
      multiplyAdds: fc.integer({ min: 1e7, max: 1e11 }),
    })
    const options = fc.record(
      {
        cores: fc.integer({ min: 1, max: 64 }),
        memory: fc.integer({ min: 1e8, max: 1e11 }),
        shardSize: fc.integer({ min: 1, max: 500 }),
        maxShardSize: fc.integer({ min: 1, max: 500 }),
      },
      { requiredKeys: ['cores'] },
    )
    const property = fc.property(
      fc.array(task, { maxLength: 20 }),
      fc.tuple(spans, spans),
      options,
      (asked, done, how) => {
        const missing = done.map(shards => findGaps({ shards }, 2000))
        const tasks = asked.map(({ done, crop, ...cost }, i): ModelTask => ({
          model: { name: `m${i}`, architecture: 'x', classes: 1, files: [] },
          ...cost,
          steps: [resize(256, 'bilinear'), centerCrop(crop)],
          missing: missing[done]!,
        }))
        const jobs = planJobs(tasks, 'all', how)
        for (const [i, { done }] of asked.entries()) {
          const own = jobs.filter(({ group }) => group.models.some(({ name }) => name === `m${i}`))
          expect(
            coverage(
              own.flatMap(({ shards }) => shards),
              2000,
            ),
          ).toEqual(coverage(missing[done]!, 2000))
        }
        const most = Math.min(
          how.shardSize ?? Infinity,
          how.shardSize === undefined ? (how.maxShardSize ?? 1024) : Infinity,
        )
        for (const { shards, processes } of jobs) {
          expect(processes).toBeGreaterThan(0)
          expect(Math.max(...shards.map(({ start, end }) => end - start))).toBeLessThanOrEqual(most)
        }
      },
    )
    fc.assert(property, { numRuns: 60 })
  })

  it('asks for what no shard covers: together they are all images, each once', () => {
    const property = fc.property(spans, shards => {
      expect(
        new Set(coverage([...selectDisjoint(shards), ...findGaps({ shards }, 2000)], 2000)),
      ).toEqual(new Set([1]))
    })
    fc.assert(property)
  })

  it('asks for nothing once one of several evaluations at once is whole, whatever the others have stored', () => {
    const property = fc.property(spans, fc.integer({ min: 1, max: 2000 }), (others, size) => {
      const shards = [...others, ...splitRange({ start: 0, end: 2000 }, size)]
      for (const order of [shards, shards.toReversed()])
        expect(findGaps({ shards: order }, 2000)).toEqual([])
    })
    fc.assert(property)
  })
})

/** Tensors of one number each, the length of their names, as files of weights hold them. */
const filesOf = (parts: readonly (readonly string[])[]): TensorFile[] =>
  parts.map((names, i) => ({
    file: `part-${i}`,
    metadata: {},
    tensors: new Map(
      names.map(name => [
        name,
        {
          name,
          file: '',
          dtype: 'F32' as const,
          shape: [1],
          offset: 0,
          length: 4,
          data: new Uint8Array(Float32Array.of(name.length).buffer),
        },
      ]),
    ),
  }))

describe('renaming tables', () => {
  const table: NameTable = {
    rename: [
      [/^old\.(\d+)\./, 'block.$1.'],
      [/^wide\./, 'w.'],
    ],
    ignore: [/^unused/],
  }
  const checkpoint = ['old.0.a', 'old.1.a', 'old.1.b', 'wide.x', 'plain']
  const wanted = ['block.0.a', 'block.1.a', 'block.1.b', 'w.x', 'plain']
  const graph = () => {
    const made = createGraph()
    for (const name of wanted) parameterScope(made).get(name, [1])
    return made
  }
  const read = (parts: readonly (readonly string[])[]) =>
    readParameters(graph(), filesOf(parts), table)

  it('give the same parameters in any order and over any number of files', async () => {
    const names = fc.shuffledSubarray([...checkpoint, 'unused.x'], { minLength: 6 })
    const property = fc.asyncProperty(names, fc.nat(6), fc.nat(6), async (all, first, second) => {
      const [a, b] = [Math.min(first, second), Math.max(first, second)]
      const tensors = await read([all.slice(0, a), all.slice(a, b), all.slice(b)])
      expect(tensors.map(({ name, data }) => [name, [...data]])).toEqual(
        wanted.map((name, i) => [name, [checkpoint[i]!.length]]),
      )
    })
    await fc.assert(property, { numRuns: 50 })
  })

  it('name what is missing, left over, or there twice', async () => {
    for (const [i, name] of checkpoint.entries())
      await expect(read([checkpoint.filter(one => one !== name)])).rejects.toThrow(
        `1 missing (${wanted[i]!})`,
      )
    const name = fc
      .stringMatching(/^[a-z]{1,9}$/)
      .filter(one => !wanted.includes(one) && !/^unused/.test(one))
    const property = fc.asyncProperty(name, async extra => {
      await expect(read([[...checkpoint, extra]])).rejects.toThrow(`1 not used (${extra})`)
    })
    await fc.assert(property, { numRuns: 50 })
    for (const [i, twin] of wanted.slice(0, 4).entries()) {
      const message = `1 given twice (${twin})`
      await expect(read([checkpoint, [checkpoint[i]!]])).rejects.toThrow(message)
      await expect(read([[...checkpoint, twin]])).rejects.toThrow(message)
    }
  })

  it('take a tensor that blocks share as often as it is there', async () => {
    const shared = (parts: readonly string[]) => {
      const made = createGraph()
      parameterScope(made).get('shared.a', [1])
      return readParameters(made, filesOf([parts]), {
        rename: [[/^block\.\d+\./, 'shared.']],
        tied: [/^shared\./],
      })
    }
    for (const parts of [['shared.a'], ['block.10.a'], ['shared.a', 'block.1.a', 'block.10.a']]) {
      const [tensor] = await shared(parts)
      expect([...tensor!.data]).toEqual([parts.at(-1)!.length])
    }
    await expect(shared(['other'])).rejects.toThrow('1 missing (shared.a)')
  })

  const families = new Map(Object.values(architectures).map(known => [known.family, known]))
  it.each([...families.values()].map(known => [known.family, known] as const))(
    '%s: leave the names alone that the builder gives',
    (_, known) => {
      const made = createGraph()
      // Halo attention needs a grid of whole blocks.
      const size = known.family === 'byoanet' ? 256 : 224
      const image = addInput(made, 'image', { shape: ['n', 3, size, size] })
      if (known.kind === 'classifier') known.build(parameterScope(made), image, 3)
      else known.encodeImage(parameterScope(made), image)
      const { rename = [], ignore = [] } = known.names
      const own = [...made.parameters.keys()]
      expect(own.length).toBeGreaterThan(10)
      expect(
        own.filter(name => rename.some(([pattern, to]) => name.replace(pattern, to) !== name)),
      ).toEqual([])
      expect(own.filter(name => ignore.some(pattern => pattern.test(name)))).toEqual([])
    },
  )
})
