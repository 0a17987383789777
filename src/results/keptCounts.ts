/*
 * Keeps sums over the rows of one evaluation in a file beside its shards, so that a question scans the shards only once. The file lists
 * the shards that were read, with their sizes and modification times, and is ignored if these differ. It may be removed at any time.
 */
import { rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { z } from 'zod'
import { type GroupValue } from '../datasets/dataset.ts'
import { mapLimited } from '../lib/concurrency.ts'
import { fileStats, readWholeFile, temporaryName } from '../lib/files.ts'
import { sha256 } from '../lib/hash.ts'
import { memoizeByObject } from '../lib/memoize.ts'
import { type StoredEvaluation } from './storedEvaluations.ts'

/** Sums over the rows of one evaluation by the values of columns. Rows of `keys` and of `sums` are lists of equal length. */
export interface SumTable {
  /** The values that rows were grouped by, a list a column. Evaluations with equal values share the lists of an answer. */
  keys: readonly (readonly GroupValue[])[]
  /** A list for each sum; null where a sum is not known. */
  sums: readonly (readonly (number | null)[])[]
}

/** Name of the file in an evaluation's folder. */
export const keptCountsName = 'counts.kept'

/** Largest number of rows of a table that is kept; one with a row for almost every image would be as large as the shards. */
const maxRows = 100_000

/** Largest number of answers in a file; older ones are dropped, so that questions by many columns do not fill the disk. */
const maxAnswers = 64

/** Largest size of an unpacked part of an answer in bytes; a larger one is not read. */
const maxAnswerBytes = 64 * 2 ** 20

const keptHeader = z.object({
  schema: z.literal(1),
  /** Name, size in bytes and time of change of each shard, in order. */
  shards: z.array(z.tuple([z.string(), z.number(), z.number()])),
  /** The answers in the order of the file: hashes of the question and of the lists of values, and bytes of the gzipped parts. */
  answers: z.array(
    z.object({
      question: z.string(),
      keysHash: z.string(),
      keysBytes: z.number().int().positive(),
      sumsBytes: z.number().int().positive(),
    }),
  ),
})
type ShardStates = z.infer<typeof keptHeader>['shards']

/** An answer as it is stored: two gzipped JSON texts, and the hash of the first one. */
interface PackedAnswer {
  question: string
  keysHash: string
  keys: Uint8Array
  sums: Uint8Array
}

/**
 * Returns for each evaluation the answer to each question. A question is the whole SQL that answers it: a later version that counts
 * in another way must ask another question. What is not kept is computed by `count` for all evaluations that lack an answer
 * together, and kept where the folder can be written and the evaluation is complete.
 */
export async function answerFromKept(
  entries: readonly StoredEvaluation[],
  questions: readonly string[],
  count: (entries: readonly StoredEvaluation[]) => Promise<SumTable[][]>,
): Promise<SumTable[][]> {
  const hashes = questions.map(question => sha256(question, 32))
  const states = new Map<StoredEvaluation, ShardStates | null>()
  const answers = new Map<StoredEvaluation, SumTable[]>()
  await mapLimited(entries.filter(mayKeep), 32, async entry => {
    const shards = await readShardStates(entry)
    states.set(entry, shards)
    const kept = shards && (await readKept(entry, shards))
    const found = kept && findAnswers(kept, hashes)
    if (found) answers.set(entry, found)
  })
  const open = entries.filter(entry => !answers.has(entry))
  if (open.length > 0) {
    const tables = await count(open)
    for (const [i, entry] of open.entries()) answers.set(entry, tables[i]!)
    await mapLimited([...open.entries()], 4, async ([i, entry]) => {
      const shards = states.get(entry)
      if (shards) await keepAnswers(entry, shards, { hashes, tables: tables[i]! })
    })
  }
  return entries.map(entry => answers.get(entry)!)
}

/** Whether the answers of an evaluation are kept: it has all its images, and no analysis has changed its rows. */
const mayKeep = ({ identity, rows }: StoredEvaluation): boolean =>
  rows === identity.images && identity.excluded === undefined && identity.metric === undefined

/** Returns the states of the shards' files; null if one is gone. */
async function readShardStates({ folder, shards }: StoredEvaluation): Promise<ShardStates | null> {
  try {
    return await mapLimited(shards, 32, async ({ file }) => {
      const { size, mtimeMs } = await fileStats(join(folder, file))
      return [file, size, mtimeMs] as [string, number, number]
    })
  } catch {
    return null
  }
}

/** Reads the answers kept for exactly these shards; null if there is no file for them or it is damaged. */
async function readKept(
  { folder }: StoredEvaluation,
  shards: ShardStates,
): Promise<PackedAnswer[] | null> {
  try {
    const bytes = await readWholeFile(join(folder, keptCountsName))
    const end = bytes.indexOf('\n')
    const header = keptHeader.parse(JSON.parse(bytes.toString('utf8', 0, end)))
    if (JSON.stringify(header.shards) !== JSON.stringify(shards)) return null
    let at = end + 1
    const take = (size: number): Uint8Array => bytes.subarray(at, (at += size))
    return header.answers.map(({ question, keysHash, keysBytes, sumsBytes }) => ({
      question,
      keysHash,
      keys: take(keysBytes),
      sums: take(sumsBytes),
    }))
  } catch {
    return null
  }
}

/** The most recently read keys by question and hash, which models of the same data set share. */
const recentKeys = new Map<string, SumTable['keys']>()
const maxRecentKeys = 32

/** Returns the tables of all questions; null if one is not kept, or damaged. */
function findAnswers(kept: readonly PackedAnswer[], hashes: readonly string[]): SumTable[] | null {
  const tables: SumTable[] = []
  for (const hash of hashes) {
    const answer = kept.find(({ question }) => question === hash)
    const table = answer && unpackAnswer(answer)
    if (!table) return null
    tables.push(table)
  }
  return tables
}

function unpackAnswer({ question, keys: packedKeys, keysHash, sums: packedSums }: PackedAnswer) {
  try {
    const name = `${question} ${keysHash}`
    const keys = recentKeys.get(name) ?? unpackKeys(packedKeys, keysHash)
    const sums = JSON.parse(unpack(packedSums).toString()) as SumTable['sums']
    if (!keys || !isTable({ keys, sums })) return null
    recentKeys.delete(name)
    recentKeys.set(name, keys)
    const [oldest] = recentKeys.keys()
    if (recentKeys.size > maxRecentKeys) recentKeys.delete(oldest!)
    return { keys, sums }
  } catch {
    return null
  }
}

const unpack = (packed: Uint8Array): Buffer =>
  gunzipSync(packed, { maxOutputLength: maxAnswerBytes })

function unpackKeys(packed: Uint8Array, hash: string): SumTable['keys'] | null {
  const bytes = unpack(packed)
  const keys = JSON.parse(bytes.toString()) as SumTable['keys']
  const isValid = sha256(bytes, 32) === hash && keys.every(list => isColumn(list, isValue))
  return isValid ? keys : null
}

const isColumn = (list: readonly unknown[], holds: (value: unknown) => boolean): boolean =>
  Array.isArray(list) && list.every(holds)

const isValue = (value: unknown): boolean =>
  value === null || typeof value === 'string' || Number.isFinite(value)

const isSum = (value: unknown): boolean => value === null || Number.isFinite(value)

/** Whether all lists are as long as the first one, and the sums are numbers. */
const isTable = ({ keys, sums }: SumTable): boolean =>
  [...keys, ...sums].every(list => list.length === sums[0]?.length) &&
  sums.every(list => isColumn(list, isSum))

/** Adds answers to those that are kept; does nothing in a folder that cannot be written. */
async function keepAnswers(
  entry: StoredEvaluation,
  shards: ShardStates,
  { hashes, tables }: { hashes: readonly string[]; tables: readonly SumTable[] },
): Promise<void> {
  const file = join(entry.folder, keptCountsName)
  const temporary = temporaryName(file)
  try {
    const others = (await readKept(entry, shards)) ?? []
    const made = tables.flatMap((table, i) => packAnswer(hashes[i]!, table) ?? [])
    const all = [...others.filter(({ question }) => !hashes.includes(question)), ...made].slice(
      -maxAnswers,
    )
    const header: z.infer<typeof keptHeader> = {
      schema: 1,
      shards,
      answers: all.map(({ question, keysHash, keys, sums }) => ({
        question,
        keysHash,
        keysBytes: keys.length,
        sumsBytes: sums.length,
      })),
    }
    const parts = all.flatMap(({ keys, sums }) => [keys, sums])
    const content = Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), ...parts])
    await writeFile(temporary, content, { flag: 'wx' })
    await rename(temporary, file)
  } catch {
    await rm(temporary, { force: true }).catch(() => undefined)
  }
}

/** Returns a table in its stored form; undefined for one that is too large, or has values that JSON cannot hold. */
function packAnswer(question: string, table: SumTable): PackedAnswer | undefined {
  const { keys, sums } = table
  if (
    (sums[0]?.length ?? 0) > maxRows ||
    !keys.every(list => isColumn(list, isValue)) ||
    !isTable(table)
  )
    return undefined
  const packed = packKeys(keys)
  return { question, ...packed, sums: pack(JSON.stringify(sums)) }
}

const packKeys = memoizeByObject((keys: SumTable['keys']) => {
  const text = JSON.stringify(keys)
  return { keysHash: sha256(text, 32), keys: pack(text) }
})

const pack = (text: string): Buffer => gzipSync(text, { level: 1 })
