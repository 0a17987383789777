import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import {
  type Embeddings,
  embeddingsOf,
  joinEmbeddings,
  openNpy,
} from '../../src/experiments/embeddings.ts'
import { nearestReferences } from '../../src/experiments/neighbours.ts'
import { classifyOrigins, paperKs } from '../../src/experiments/classifyOrigins.ts'
import { randomFor } from '../../src/lib/random.ts'
import { halves, writeNpy } from './npyFiles.ts'

const folder = await mkdtemp(join(tmpdir(), 'geogap-neighbours-'))
afterAll(() => rm(folder, { recursive: true }))

const width = 8
/** Random rows of eighths, which float16 holds exactly. */
function rows(count: number, seed: number): Float32Array {
  const draw = randomFor(seed, 'rows')
  return Float32Array.from(
    { length: count * width },
    () => Math.round(64 * draw() - 32) / 8 || 0.125,
  )
}
const row = (data: Float32Array, i: number): Float32Array =>
  data.subarray(i * width, (i + 1) * width)
const dot = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, value, i) => sum + value * b[i]!, 0)
const cosine = (a: Float32Array, b: Float32Array): number =>
  dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))

const references = rows(150, 1)
const queries = rows(70, 2)
const known = embeddingsOf(references, width, 'clip')

/** Reference positions and similarities by the definition. */
function expected(query: Float32Array, k: number): { i: number; similarity: number }[] {
  const all = Array.from({ length: 150 }, (_, i) => ({
    i,
    similarity: cosine(query, row(references, i)),
  }))
  return all.sort((a, b) => b.similarity - a.similarity).slice(0, k)
}

async function expectExact(stored: Embeddings): Promise<void> {
  let seen = 0
  for await (const block of nearestReferences(known, stored, {
    k: 10,
    memoryBytes: 150 * 4 * 16,
  })) {
    expect(block.start).toBe(seen)
    expect(block.rows).toBeLessThanOrEqual(16)
    for (let i = 0; i < block.rows; i++, seen++) {
      for (const [rank, { similarity }] of expected(row(queries, seen), 10).entries()) {
        expect(block.similarities[i * 10 + rank]).toBeCloseTo(similarity, 5)
        const found = row(references, block.indices[i * 10 + rank]!)
        expect(cosine(row(queries, seen), found)).toBeCloseTo(similarity, 5)
      }
    }
  }
  expect(seen).toBe(70)
}

describe('nearest references', () => {
  it('are exact, block by block', () => expectExact(embeddingsOf(queries, width, 'clip')))

  it('are exact from float32 and float16 files and from several as one', async () => {
    const [whole, half, rest] = ['whole.npy', 'half.npy', 'rest.npy'].map(name =>
      join(folder, name),
    )
    await writeNpy(whole!, [70, width], queries)
    await expectExact(await openNpy(whole!, 'clip'))
    await writeNpy(half!, [30, width], halves(queries.subarray(0, 30 * width)), { version: 2 })
    await writeNpy(rest!, [40, width], halves(queries.subarray(30 * width)))
    await expectExact(joinEmbeddings([await openNpy(half!, 'clip'), await openNpy(rest!, 'clip')]))
  })

  it('refuse another encoder, another width, a k out of range and a reference without direction', async () => {
    const first = (refs: Embeddings, asked: Embeddings, k = 3) =>
      nearestReferences(refs, asked, { k }).next()
    const other = embeddingsOf(queries, width, 'dinov2')
    await expect(first(known, other)).rejects.toThrow(
      'embeddings of different encoders: clip and dinov2',
    )
    await expect(first(known, embeddingsOf(queries, 4, 'clip'))).rejects.toThrow(
      'embeddings of width 8 and 4',
    )
    await expect(first(known, known, 151)).rejects.toThrow(
      'k = 151 is not between 1 and the 150 references',
    )
    const empty = embeddingsOf(new Float32Array(2 * width), width, 'clip')
    await expect(first(empty, known, 1)).rejects.toThrow('reference 0 has no direction')
    expect(() => joinEmbeddings([known, other])).toThrow('different encoders')
  })
})

describe('origins', () => {
  const regions = Array.from(
    { length: 150 },
    (_, i) => ['Africa', 'Americas', 'Asia', 'Europe'][i % 4]!,
  )
  const ks = [3, 7, 113]

  it('are majorities of the neighbours, for every k at once', async () => {
    const found = await classifyOrigins({
      references: known,
      regions,
      queries: embeddingsOf(queries, width, 'clip'),
      ks,
    })
    expect(found).toMatchObject({ references: 150, queries: 70, skipped: 0 })
    for (const { k, western, westernShare, regions: counts, europeToAfrica } of found.votes) {
      const tally: Record<string, number> = { Africa: 0, Americas: 0, Asia: 0, Europe: 0 }
      let wanted = 0
      for (let i = 0; i < 70; i++) {
        const near = expected(row(queries, i), k).map(neighbour => regions[neighbour.i]!)
        if (near.filter(region => ['Europe', 'Americas'].includes(region)).length > k / 2)
          wanted += 1
        const votes = (region: string): number => near.filter(other => other === region).length
        const most = Math.max(...near.map(votes))
        tally[near.find(region => votes(region) === most)!]! += 1
      }
      expect(western).toBe(wanted)
      expect(westernShare).toBe(wanted / 70)
      expect(counts).toEqual(tally)
      expect(europeToAfrica).toBe(
        tally['Africa'] === 0 ? null : tally['Europe']! / tally['Africa']!,
      )
    }
  })

  it("use the paper's ks by default and report progress", async () => {
    const seen: number[] = []
    const onProgress = (done: number) => seen.push(done)
    const found = await classifyOrigins({ references: known, regions, queries: known, onProgress })
    expect(found.votes.map(({ k }) => k)).toEqual(paperKs)
    expect([paperKs[0], paperKs.at(-1), paperKs.length]).toEqual([3, 113, 56])
    expect(seen).toEqual([150])
  })

  it('skip queries without a direction and count them', async () => {
    const some = queries.slice(0, 3 * width)
    some.fill(0, 0, width)
    some[width] = NaN
    const found = await classifyOrigins({
      references: known,
      regions,
      queries: embeddingsOf(some, width, 'clip'),
      ks,
    })
    expect(found).toMatchObject({ queries: 1, skipped: 2 })
  })

  it('have no share without queries, and refuse regions that do not fit', async () => {
    const none = embeddingsOf(new Float32Array(0), width, 'clip')
    const found = await classifyOrigins({ references: known, regions, queries: none, ks: [3] })
    expect(found.votes[0]).toMatchObject({
      k: 3,
      western: 0,
      westernShare: null,
      europeToAfrica: null,
    })
    const short = { references: known, regions: regions.slice(1), queries: none }
    await expect(classifyOrigins(short)).rejects.toThrow('149 regions for 150 references')
    await expect(classifyOrigins({ ...short, regions, ks: [] })).rejects.toThrow(
      'no number of neighbours (k) for',
    )
  })
})

describe('embedding files', () => {
  const file = join(folder, 'bad.npy')
  const opened = () => openNpy(file, 'clip')

  it.each([
    ['of float64', { descr: '<f8' }, [70, width], 'its values are <f8, not <f2 or <f4'],
    ['of pickled objects', { descr: '|O' }, [70, width], 'its values are |O'],
    [
      'in column-major order',
      { order: 'True' },
      [70, width],
      'not a two-dimensional, row-major array',
    ],
    ['of one dimension', {}, [70 * width], 'not a two-dimensional, row-major array'],
    ['of another length', {}, [71, width], '71 rows of 8 take'],
  ])('%s are refused', async (_, options, shape, message) => {
    await writeNpy(file, shape, queries, options)
    await expect(opened()).rejects.toThrow(message)
  })

  it('that are none are refused', async () => {
    await writeFile(file, 'PK\x03\x04 not an array')
    await expect(opened()).rejects.toThrow('not a .npy file')
    await expect(openNpy(join(folder, 'none.npy'), 'clip')).rejects.toThrow('no such file')
  })

  it('that shrink while they are read are an error', async () => {
    await writeNpy(file, [70, width], queries)
    const embeddings = await opened()
    await truncate(file, 128 + 4 * width * 50)
    const read = async () => {
      for await (const block of embeddings.blocks(16)) expect(block.rows).toBe(16)
    }
    await expect(read()).rejects.toThrow('it ends within row 50')
  })
})
