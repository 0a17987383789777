import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readGoldenFile } from '../../scripts/conformanceCase.ts'
import { writeFormulaWeights } from '../../scripts/formula.ts'
import { imagenetNames } from '../../src/datasets/labels/imagenet.ts'
import { type DatasetSpec } from '../../src/datasets/open.ts'
import { readCurrentResults } from '../../src/results/currentResults.ts'
import { shardPaths } from '../../src/results/storedEvaluations.ts'
import { rescore } from '../../src/evaluate/rescore.ts'
import { query } from '../../src/lib/sql.ts'
import { geogap } from '../helpers/cli.ts'
import { pooledEvaluate } from '../helpers/pooled.ts'
import { reloadingPool } from '../helpers/reloading.ts'
import { shared, sharedPath } from '../helpers/shared.ts'
import { long } from '../helpers/torture.ts'
import { writeModel, writeWorld } from '../helpers/world.ts'

const evaluate = pooledEvaluate(reloadingPool())

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-rescore-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** The newest rows of `out` by id, and their keys; probabilities apart, that of the accepted classes first. */
async function rowsOf(out: string) {
  const { entries } = await readCurrentResults(out)
  const files = entries.flatMap(shardPaths)
  const rows = await query(
    'SELECT * EXCLUDE (probabilities, target_probability, labels, top5), to_json([labels, top5])::VARCHAR AS lists FROM read_parquet($1) ORDER BY id',
    [files],
  )
  const probabilities = await query<{ list: string }>(
    'SELECT to_json([target_probability] || probabilities)::VARCHAR AS list FROM read_parquet($1) ORDER BY id',
    [files],
  )
  return {
    keys: entries.map(({ key }) => key).sort(),
    probabilities: probabilities.map(({ list }) => JSON.parse(list) as number[]),
    rows,
  }
}

/** Rescored rows equal those of a fresh evaluation; gives the largest difference of a probability. */
async function same(rescored: string, fresh: string): Promise<number> {
  const [ours, theirs] = [await rowsOf(rescored), await rowsOf(fresh)]
  expect(ours.keys).toEqual(theirs.keys)
  expect(ours.rows).toEqual(theirs.rows)
  expect(ours.rows.length).toBeGreaterThan(0)
  const away = ours.probabilities.flatMap((list, i) =>
    list.map((p, k) => Math.abs(p - theirs.probabilities[i]![k]!)),
  )
  return Math.max(...away)
}

/** Ids as shards have them, one after another: what is left is done by `evaluate`, which goes by places. */
async function inOrder(out: string): Promise<unknown[]> {
  const ids: unknown[] = []
  for (const file of (await readCurrentResults(out)).entries.flatMap(shardPaths))
    ids.push(
      ...(await query<{ id: string }>('SELECT id FROM read_parquet($1)', [file])).map(
        ({ id }) => id,
      ),
    )
  return ids
}

describe('rescore', () => {
  it('keeps errors, and says what it cannot do', async () => {
    const manifest = await writeWorld(folder, 40)
    await writeFile(join(folder, 'images/8.png'), 'no picture')
    const models = [await writeModel(folder)]
    const [out, fresh] = [join(folder, 'small'), join(folder, 'small-fresh')]
    const dataset: DatasetSpec = { name: manifest, classes: join(folder, 'classes.txt') }
    await expect(rescore(folder, { change: { choices: 'mapped' } })).rejects.toThrow(
      'no results in',
    )
    await evaluate({ models, datasets: [dataset], out: fresh })
    await expect(rescore(fresh, { change: { choices: 'mapped' } })).rejects.toThrow(
      'evaluate with --keep logits',
    )
    await evaluate({ models, datasets: [dataset], out, keep: 'logits' })
    const change = { choices: 'mapped' } as const
    await rescore(out, { change, out: `${out}-mapped` })
    await evaluate({ models, datasets: [{ ...dataset, ...change }], out: `${fresh}-mapped` })
    expect(await same(`${out}-mapped`, `${fresh}-mapped`)).toBeLessThan(1e-3)
    expect(await inOrder(`${out}-mapped`)).toEqual(await inOrder(`${fresh}-mapped`))
    await writeFile(join(folder, 'two.txt'), 'red\ngreen\nblue\nyellow\n')
    const run = (...args: string[]) => geogap(['rescore', out, ...args])
    expect((await run('--classes', join(folder, 'two.txt'))).stderr).toMatch(
      /are over the 3 classes of its evaluation, not the 4/,
    )
    expect((await run()).stderr).toMatch(/nothing to change: give --labels/)
    expect((await run('--choices', 'mapped', '--models', 'resnet50')).stderr).toMatch(
      /unknown model: resnet50/,
    )
    expect((await run('--prompts', 'openai')).stderr).toMatch(/other prompts need --keep features/)
    await writeFile(join(folder, 'images/9.png'), 'gone')
    expect((await run('--choices', 'mapped')).stderr).toMatch(/world is not what was evaluated/)
  }, 120_000)

  const photos = (count: number, label: (file: string, i: number) => string) =>
    readdir(sharedPath('data/imagenet-samples')).then(files =>
      files
        .sort()
        .slice(0, count)
        .map((file, i) => ({
          line: `${file},${resolve(sharedPath(`data/imagenet-samples/${file}`))},${label(file, i)}`,
          wnid: file.split('_')[0]!,
        })),
    )

  it.skipIf(!shared)(
    'equals a fresh evaluation of a real model: other labels, other choices',
    async () => {
      const weights = sharedPath('weights/tf_efficientnet_lite0/model.safetensors')
      const found = await photos(long ? 120 : 40, file => file.split('_')[0]!)
      const manifest = join(folder, 'photos.csv')
      await writeFile(manifest, ['id,image,label', ...found.map(({ line }) => line), ''].join('\n'))
      const map = (file: string, accepted: (wnid: string, i: number) => string[]) =>
        writeFile(
          join(folder, file),
          JSON.stringify({
            labels: Object.fromEntries(found.map(({ wnid }, i) => [wnid, accepted(wnid, i)])),
          }),
        )
      await map('strict.json', wnid => [wnid])
      await map('loose.json', (wnid, i) =>
        i % 7 === 0 ? [] : [wnid, String((i * 37) % imagenetNames.length)],
      )
      const [loose, strict] = [join(folder, 'loose.json'), join(folder, 'strict.json')]
      const options = { models: ['tf_efficientnet_lite0'], weights }
      const out = join(folder, 'real')
      await evaluate({ ...options, datasets: [manifest], out, keep: 'logits' })
      for (const [i, change] of [
        { labels: loose },
        { labels: strict, choices: 'mapped' as const },
      ].entries()) {
        await rescore(out, { change, out: `${out}-${i}` })
        await evaluate({
          ...options,
          datasets: [{ name: manifest, ...change }],
          out: `${out}-fresh-${i}`,
        })
        expect(await same(`${out}-${i}`, `${out}-fresh-${i}`)).toBeLessThan(3e-3)
      }
      const seen: number[] = []
      await evaluate({
        ...options,
        datasets: [{ name: manifest, labels: loose }],
        out: `${out}-0`,
        onProgress: ({ done }) => seen.push(done),
      })
      expect(seen).toEqual([])
    },
    300_000,
  )

  it.skipIf(!shared || !long)(
    'equals a fresh zero-shot evaluation, which names the data set’s own labels: other prompts, other classes',
    async () => {
      const golden = readGoldenFile(sharedPath('golden/models/clip_RN50-quickgelu.json'))
      const weights = join(folder, 'model.safetensors')
      await writeFormulaWeights(weights, golden.tensors)
      await writeFile(
        join(folder, 'tokenizer.json'),
        readFileSync(sharedPath('golden/tokenizer/clip_tokenizer.json')),
      )
      const labels = ['stove', 'street vendor', 'dish soap']
      const found = await photos(8, (_, i) => labels[i % 3]!)
      const manifest = join(folder, 'own.csv')
      await writeFile(
        manifest,
        [
          'id,image,label',
          ...found.map(({ line }, i) => line.replace(/^[^,]+/, `photo-${i}`)),
          '',
        ].join('\n'),
      )
      const files = ['own.txt', 'more.txt'].map(file => join(folder, file))
      await writeFile(files[0]!, `${labels.join('\n')}\n`)
      await writeFile(files[1]!, `${['toilet', ...labels, 'spices'].join('\n')}\n`)
      const options = { models: ['clip:RN50-quickgelu/openai'], weights }
      const dataset: DatasetSpec = { name: manifest, classes: files[0]! }
      const out = join(folder, 'clip')
      const [first, other] = long ? ['openai', 'simple'] : ['simple', 'paper']
      const run = await evaluate({
        ...options,
        datasets: [dataset],
        prompts: first,
        out,
        keep: 'features',
      })
      expect([run.failures, run.accuracy()]).toMatchObject([[], [{ n: 8, errors: 0 }]])
      const files5 = run.entries.flatMap(shardPaths)
      const ranked = await query<{ classes: number[] }>(
        'SELECT DISTINCT list_sort(top5) AS classes FROM read_parquet($1)',
        [files5],
      )
      expect(ranked.map(({ classes }) => classes)).toEqual([[0, 1, 2]])
      const [classes, prompts] = [files[1]!, other]
      const changes: { classes?: string; prompts?: string }[] = long
        ? [{ classes }, { prompts }]
        : [{ classes, prompts }]
      for (const [i, { prompts = first, ...change }] of changes.entries()) {
        await rescore(out, {
          weights,
          change,
          ...(prompts !== first && { prompts }),
          out: `${out}-${i}`,
        })
        await evaluate({
          ...options,
          datasets: [{ ...dataset, ...change }],
          prompts,
          out: `${out}-fresh-${i}`,
        })
        expect(await same(`${out}-${i}`, `${out}-fresh-${i}`)).toBe(0)
      }
      await rm(weights)
    },
    600_000,
  )
})
