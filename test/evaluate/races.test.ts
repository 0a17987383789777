/**
 * Pairs of evaluations that write one folder at once and cut it differently, with a delay before every rename and link. Inference is
 * replaced by a table. GEOGAP_TORTURE=1 runs 20 pairs of each kind.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import fs from 'node:fs'
import { cp, mkdtemp, readdir, rm, truncate } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import os, { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Random, randomFrom } from '../../src/lib/random.ts'
import { type ModelSpec } from '../../src/models/spec.ts'
import { openKeptOutputs } from '../../src/results/keptOutputReader.ts'
import { type KeptOutput } from '../../src/results/schema.ts'
import { runStatus } from '../../src/results/status.ts'
import { readStoredEvaluations } from '../../src/results/storedEvaluations.ts'
import { storedRows } from '../helpers/evaluation.ts'
import { pooledEvaluate } from '../helpers/pooled.ts'
import { tablePool } from '../helpers/tablePool.ts'
import { measured, scaled } from '../helpers/torture.ts'
import { writeModel, writeWorld } from '../helpers/world.ts'

/** One of two evaluations: its number of cores decides how it cuts the images. */
interface Writer {
  cores: number
  random: Random
  keep?: KeptOutput
}

const writers = new AsyncLocalStorage<Writer>()
let inferred = 0

const evaluate = pooledEvaluate(tablePool(count => (inferred += count)))

const images = 128
let folder: string
let models: ModelSpec[]
let manifest: string
let whole: string
let rows: string[]
let restore: () => void
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-races-'))
  manifest = await writeWorld(folder, images)
  models = [await writeModel(join(folder, 'models'), 1)]
  whole = join(folder, 'whole')
  restore = replaceSystem()
  await evaluated(whole, { cores: 2, random: () => 0 })
  rows = await storedRows(whole)
})
afterAll(async () => {
  restore()
  await rm(folder, { recursive: true, force: true })
})

/** Gives each writer its cores, and waits up to 20 ms, every eighth time up to 200 ms, before a rename or link of one. */
function replaceSystem(): () => void {
  const promises = fs.promises as unknown as Record<string, (...args: unknown[]) => unknown>
  const originals = ['rename', 'link'].map(name => [name, promises[name]!] as const)
  for (const [name, original] of originals)
    promises[name] = async (...args: unknown[]) => {
      const random = writers.getStore()?.random ?? (() => 0)
      await wait((random() < 1 / 8 ? 200 : 20) * random())
      return original(...args)
    }
  const { availableParallelism } = os
  os.availableParallelism = () => writers.getStore()?.cores ?? 2
  syncBuiltinESMExports()
  return () => {
    for (const [name, original] of originals) promises[name] = original
    os.availableParallelism = availableParallelism
    syncBuiltinESMExports()
  }
}

const evaluated = (out: string, writer: Writer) =>
  writers.run(writer, () =>
    evaluate({
      models,
      datasets: [{ name: manifest, classes: join(folder, 'classes.txt') }],
      out,
      keep: writer.keep,
    }),
  )

const kinds: { what: string; keeps: (KeptOutput | undefined)[]; prepare: (out: string) => Promise<void> }[] = [
  { what: 'from nothing', keeps: [], prepare: () => Promise.resolve() },
  { what: 'one of which keeps logits', keeps: [undefined, 'logits'], prepare: () => Promise.resolve() },
  { what: 'that add kept outputs', keeps: ['logits', 'logits'], prepare: out => cp(whole, out, { recursive: true }) },
  { what: 'that keep different outputs', keeps: ['logits', 'features'], prepare: () => Promise.resolve() },
  { what: 'that add different outputs', keeps: ['features', 'logits'], prepare: out => cp(whole, out, { recursive: true }) },
  {
    what: 'on damaged results',
    keeps: [],
    prepare: async out => {
      await cp(whole, out, { recursive: true })
      for (const name of await readdir(join(out, 'predictions'), { recursive: true }))
        if (/\.(json|parquet)$/.test(name) && /0000(0000|0064)-/.test(name))
          await truncate(join(out, 'predictions', name), name.endsWith('json') ? 0 : 50)
    },
  },
] // prettier-ignore

describe.each(kinds)('pairs of evaluations $what', ({ what, keeps, prepare }) => {
  it('lose nothing and say nothing false', async () => {
    const pairs = scaled(2, 20)
    const tally = { incomplete: 0, again: 0 }
    for (let pair = 0; pair < pairs; pair++) {
      const out = join(folder, `${what}-${pair}`.replaceAll(' ', '-'))
      await prepare(out)
      const pairOf = keeps.length === 0 ? [undefined, undefined] : keeps
      const runs = await Promise.allSettled(
        pairOf.map((keep, i) =>
          evaluated(out, { cores: 1 + i, random: randomFrom(100 * pair + i), ...(keep && { keep }) }),
        ),
      ) // prettier-ignore
      for (const [i, run] of runs.entries()) {
        const isRefused = run.status === 'rejected'
        if (isRefused) expect((run.reason as { code: string }).code).toBe('other-kept')
        const codes = isRefused ? ['other-kept'] : run.value.failures.map(({ code }) => code)
        if (codes.length > 0) tally.incomplete++
        else if (pairOf[i]) expect(await imagesKept(out, pairOf[i])).toBe(images)
      }
      expect(await storedRows(out)).toEqual(rows)
      expect((await readStoredEvaluations(out)).flatMap(({ damaged }) => damaged)).toEqual([])
      expect(await missingFiles(out)).toEqual([])
      expect((await runStatus(out)).results.map(({ state }) => state)).toEqual(['complete'])
      inferred = 0
      await evaluated(out, { cores: 2, random: () => 0 })
      tally.again += inferred
      await rm(out, { recursive: true })
    }
    measured(
      `${pairs} pairs of evaluations ${what}: every table as of one, no file missing, ${tally.incomplete} said that they were not complete, ${tally.again} images inferred by a third one`,
    )
    expect(tally.again).toBe(0)
    if (!keeps.includes('features')) expect(tally.incomplete).toBe(0)
  })
})

/** Returns how many images have a row of `output` that those who read it find. */
async function imagesKept(out: string, output: KeptOutput): Promise<number> {
  let count = 0
  for (const entry of await readStoredEvaluations(out, output)) {
    const kept = await openKeptOutputs(entry, output)
    for (let i = 0; i < images; i++)
      if ((await kept.row(`picture-${i}`)) instanceof Float32Array) count++
  }
  return count
}

/** Files that some manifest names, selected or not, and that are not there. */
async function missingFiles(out: string): Promise<string[]> {
  const names = await readdir(join(out, 'predictions'), { recursive: true })
  const manifests = names.filter(name => name.endsWith('.json'))
  return manifests.flatMap(name => {
    const text = fs.readFileSync(join(out, 'predictions', name), 'utf8')
    const { file, kept } = JSON.parse(text) as { file: string; kept?: { file: string } }
    const files = [file, ...(kept ? [kept.file] : [])]
    return files.filter(one => !names.some(other => other.endsWith(one)))
  })
}
