import { join } from 'node:path'
import { type Dataset } from '../datasets/dataset.ts'
import { controlBins } from './controls.ts'
import { type Place } from '../lib/storage/place.ts'
import { recordEstimates } from '../results/estimates.ts'
import { type Identity } from '../results/schema.ts'
import { type Entry, entryName, readEntries, readEntry } from '../results/store.ts'
import { literalPath, parquetRows, query } from '../lib/sql.ts'
import { parseUntil, stopping, type Stopping } from './stoppingRule.ts'

export interface EarlyStop extends Pick<Stopping, 'take' | 'wanted'> {
  /** Keeps what the outcomes so far say about all images. */
  record(): Promise<void>
}

/** The rule of `until` for models that are evaluated together, with what is stored of them already taken in. */
export async function earlyStop(
  dataset: Dataset,
  identities: readonly Identity[],
  until: string,
  place: Place,
): Promise<EarlyStop> {
  const rule = parseUntil(until)
  const stored = await Promise.all(identities.map(identity => readEntry(place, entryName(identity))))
  const own = stored.filter(entry => entry !== undefined)
  const all = await readEntries(place.url).catch(() => [])
  const { bins, models } = await controlBins(
    dataset,
    all,
    own.map(({ key }) => key),
  )
  const names = identities.map(({ model }) => model)
  const { take, wanted, estimates } = stopping(dataset, rule, names, bins)
  for (const entry of own) await replay(entry, take)
  return {
    take,
    wanted,
    async record() {
      for (const identity of identities) {
        const rows = (await readEntry(place, entryName(identity)))?.rows ?? 0
        const found = { until, by: rule.by, controls: models, rows, groups: estimates(identity.model) }
        await recordEstimates(place.url, identity, found)
      }
    },
  }
}

async function replay({ identity, folder, shards }: Entry, take: Stopping['take']): Promise<void> {
  for (const { file, start } of shards) {
    const rows = await query<{ rank: number | null; status: string }>(`SELECT rank, status FROM ${parquetRows()}`, [
      literalPath(join(folder, file)),
    ])
    const rank = Int32Array.from(rows, row => row.rank ?? 0)
    take({ model: identity.model, rank, status: rows.map(row => row.status) }, start)
  }
}
