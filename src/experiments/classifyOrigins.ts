import { inputError } from '../lib/errors.ts'
import { type StudyValues } from '../results/studies.ts'
import { type Embeddings } from './embeddings.ts'
import { type Neighbours, nearestReferences, type SearchOptions } from './neighbours.ts'
import { isWestern } from '../datasets/labels/regions.ts'

/** The paper's numbers of neighbours, odd so that western or not is never a tie. */
export const paperKs: readonly number[] = Array.from({ length: 56 }, (_, i) => 3 + 2 * i)

/** The classes of the queries by their k nearest references. */
export interface Votes {
  k: number
  /** Number of queries with more than half of their neighbours western. */
  western: number
  /** `western` as a share of the queries, 0 … 1; null without queries. */
  westernShare: number | null
  /** Number of queries by the commonest region of their neighbours; ties go to the region of the nearest neighbour. */
  regions: Record<string, number>
  /** Queries of Europe divided by those of Africa; null if Africa has none. */
  europeToAfrica: number | null
}

/** The classes of all queries. */
export interface Origins {
  references: number
  /** Queries classified. */
  queries: number
  /** Number of queries without a direction (zero or not finite), which have no neighbours. */
  skipped: number
  /** One entry per k, ascending. */
  votes: Votes[]
}

export interface OriginOptions extends SearchOptions {
  references: Embeddings
  /** The region of every reference. */
  regions: readonly string[]
  queries: Embeddings
  /** Numbers of neighbours, 3, 5 … 113 by default. */
  ks?: readonly number[]
  /** Called after every block with the number of queries done. */
  onProgress?: ((done: number, total: number) => void) | undefined
}

/**
 * Classifies queries as western or not, and by region, by a majority of their nearest references (appendix F).
 * @throws GeogapError `different-encoder`, `bad-k`, `bad-regions`, `bad-embeddings`.
 */
export async function classifyOrigins(options: OriginOptions): Promise<Origins> {
  const { references, regions, queries, onProgress } = options
  const ks = [...new Set(options.ks ?? paperKs)].sort((a, b) => a - b)
  if (ks.length === 0)
    throw inputError(
      'bad-k',
      `no number of neighbours (k) for ${references.count} references; the paper's begin with 3`,
    )
  if (regions.length !== references.count)
    throw inputError('bad-regions', `${regions.length} regions for ${references.count} references`)
  const names = [...new Set(regions)].sort()
  const codes = Int32Array.from(regions, region => names.indexOf(region))
  const tally = createVoteTally(ks, codes, names)
  let done = 0
  for await (const found of nearestReferences(references, queries, {
    ...options,
    k: ks.at(-1)!,
  })) {
    tally.add(found)
    done += found.rows
    onProgress?.(done, queries.count)
  }
  return { references: references.count, ...tally.result() }
}

/**
 * Returns the votes as values of the study `neighbours`. The setting is k; the metrics are the share of western queries
 * (`west`), the share of each region, and the numbers of `queries` and `references`.
 */
export const studyValuesOfVotes = ({ references, queries, votes }: Origins): StudyValues[] =>
  votes.flatMap(({ k, westernShare, regions }) => [
    { setting: k, metric: 'references', values: [references] },
    { setting: k, metric: 'queries', values: [queries] },
    { setting: k, metric: 'west', values: [westernShare] },
    ...Object.entries(regions).map(([region, count]) => ({
      setting: k,
      metric: region,
      values: [queries === 0 ? null : count / queries],
    })),
  ])

function createVoteTally(ks: readonly number[], codes: Int32Array, names: readonly string[]) {
  const most = ks.at(-1)!
  const isWest = names.map(isWestern)
  const western = new Float64Array(ks.length)
  const byRegion = ks.map(() => new Float64Array(names.length))
  let queries = 0
  let skipped = 0
  const votes = new Int32Array(names.length)
  const firsts = new Int32Array(names.length)

  /** Returns the region with most votes so far. */
  const leader = (): number => {
    let best = 0
    for (let code = 1; code < votes.length; code++) {
      const ahead = votes[code]! - votes[best]!
      if (ahead > 0 || (ahead === 0 && firsts[code]! < firsts[best]!)) best = code
    }
    return best
  }

  const addRow = (indices: Int32Array, offset: number): void => {
    votes.fill(0)
    firsts.fill(most)
    let west = 0
    for (let rank = 0, at = 0; rank < most; rank++) {
      const code = codes[indices[offset + rank]!]!
      votes[code]! += 1
      if (rank < firsts[code]!) firsts[code] = rank
      if (isWest[code]!) west += 1
      if (rank + 1 !== ks[at]) continue
      if (2 * west > rank + 1) western[at]! += 1
      byRegion[at]![leader()]! += 1
      at += 1
    }
  }

  return {
    add: ({ rows, indices, lengths }: Neighbours): void => {
      for (let row = 0; row < rows; row++) {
        const usable = lengths[row]! > 0 && Number.isFinite(lengths[row])
        if (usable) addRow(indices, row * most)
        if (usable) queries += 1
        else skipped += 1
      }
    },
    result: (): Pick<Origins, 'queries' | 'skipped' | 'votes'> => ({
      queries,
      skipped,
      votes: ks.map((k, i): Votes => {
        const regions = Object.fromEntries(names.map((name, code) => [name, byRegion[i]![code]!]))
        const { Europe: europe = 0, Africa: africa = 0 } = regions
        return {
          k,
          western: western[i]!,
          westernShare: queries === 0 ? null : western[i]! / queries,
          regions,
          europeToAfrica: africa === 0 ? null : europe / africa,
        }
      }),
    }),
  }
}
