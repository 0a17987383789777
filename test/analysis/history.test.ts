import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { tags } from '../../src/cli/commands/parsers.ts'
import { readHistory } from '../../src/analysis/history.ts'
import { answersText } from '../../src/cli/print/answer.ts'
import { historyAnswer } from '../../src/cli/print/history.ts'
import { type EvaluateOptions } from '../../src/evaluate/evaluate.ts'
import { type ModelSpec } from '../../src/models/spec.ts'
import { statusTable } from '../../src/cli/print/status.ts'
import { openRun } from '../../src/results/run.ts'
import { runStatus } from '../../src/results/status.ts'
import { geogap } from '../helpers/cli.ts'
import { pooledEvaluate } from '../helpers/pooled.ts'
import { reloadingPool } from '../helpers/reloading.ts'
import { writeModel, writeWorld } from '../helpers/world.ts'

const evaluate = pooledEvaluate(reloadingPool())

let folder: string
let out: string
let manifest: string
let before: ModelSpec
let after: ModelSpec
const computed: number[] = []

async function run(model: ModelSpec, change: Partial<EvaluateOptions> = {}): Promise<void> {
  let images = 0
  await evaluate({
    models: [model],
    datasets: [{ name: manifest, classes: join(folder, 'classes.txt') }],
    out,
    onProgress: ({ total, done }) => (images += done === total ? total : 0),
    ...change,
  })
  computed.push(images)
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-history-'))
  out = join(folder, 'results')
  manifest = await writeWorld(folder, 12)
  before = await writeModel(join(folder, 'models'))
  after = { ...(await writeModel(join(folder, 'models'), 2)), name: before.name }
  await run(before, { tags: { commit: 'aaa', branch: 'main' } })
  await run(after, { tags: { commit: 'bbb' } })
  await run(after, { tags: { commit: 'ccc' } })
  await run(after)
  await run(after, { tags: { commit: 'ccc' } })
})
afterAll(() => rm(folder, { recursive: true, force: true }))

it('keeps every tag, in the order of time, and computes nothing for a tag', async () => {
  expect(computed).toEqual([12, 12, 0, 0, 0])
  const { rows } = await readHistory([out], { minN: 1 })
  expect(rows.map(({ tags }) => tags)).toEqual([
    { commit: 'aaa', branch: 'main' },
    { commit: 'bbb' },
    { commit: 'ccc' },
  ])
  expect(rows[1]!.entry.key).toBe(rows[2]!.entry.key)
  expect(rows[0]!.entry.key).not.toBe(rows[1]!.entry.key)
  const [now] = (await openRun(out)).disparity({ minN: 1 })
  const { n, top1, by, worst, worstAccuracy, disparity } = rows[2]!
  expect({ n, top1 }).toEqual({ n: 12, top1: (await openRun(out)).accuracy()[0]!.top1 })
  expect({ by, worst, worstAccuracy, disparity }).toEqual({
    by: 'region',
    worst: now!.worst,
    worstAccuracy: now!.worstAccuracy,
    disparity: now!.disparity,
  })
})

it('lists runs without tags by their folder, after leaving images out where asked', async () => {
  const plain = join(folder, 'plain')
  await run(before, { out: plain })
  const slice = join(folder, 'slice.csv')
  const {
    rows: [whole],
  } = await readHistory([plain])
  await writeFile(slice, `dataset,id\n${whole!.entry.identity.dataset},picture-0\n`)
  const { rows } = await readHistory([plain], { minN: 1, exclude: slice })
  expect(rows).toMatchObject([{ folder: 'plain', tags: {}, n: 11 }])
  await expect(readHistory([plain], { by: 'planet' })).rejects.toThrow(
    'unknown column: planet; nearest: ',
  )
})

it('names its lines by a tag', async () => {
  const history = await readHistory([out], { minN: 1 })
  const text = answersText([historyAnswer(history, 1)], 'text')
  expect(text).toMatch(
    /^History of evaluations, oldest first\n\ncommit +time \(UTC\) +branch +model/,
  )
  expect(text.split('\n').map(line => line.split(/ +/)[0])).toEqual(
    expect.arrayContaining(['aaa', 'bbb', 'ccc']),
  )
  expect(() => historyAnswer(history, 1, 'author')).toThrow('unknown tag: author; nearest: ')
  expect(statusTable(await runStatus(out)).notes[0]).toContain(
    'evaluation (branch=main commit=aaa) of 1 results',
  )
})

it('geogap history gives tags as columns', async () => {
  const json = JSON.parse(
    (await geogap(['history', out, '--name', 'branch', '--json'])).stdout,
  ) as {
    tables: [{ rows: Record<string, unknown>[] }]
  }
  expect(
    json.tables[0].rows.map(row => [row['tag_branch'], row['tag_commit'], row['folder']]),
  ).toEqual([
    ['main', 'aaa', 'results'],
    [null, 'bbb', 'results'],
    [null, 'ccc', 'results'],
  ])
  expect(tags('note=a=b, c', '--tag', { commit: '3fa9c1' })).toEqual({
    commit: '3fa9c1',
    note: 'a=b, c',
  })
  expect(() => tags('commit', '--tag')).toThrow(
    '--tag takes name=value, such as commit=3fa9c1, not commit',
  )
}, 60_000)
