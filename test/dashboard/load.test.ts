/**
 * 200 readers of the dashboard while an evaluation runs. Each reader does what its page does: asks for progress every five seconds
 * and opens a view every fifty. Minutes with and without readers take turns, so that both are seen under the same load of the
 * machine; GEOGAP_TORTURE=1: five minutes of each, otherwise a few seconds.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { Agent, get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { builtPath } from '../../scripts/built.ts'
import { quantile } from '../../src/metrics/numbers.ts'
import { openDashboardStore } from '../../src/dashboard/store.ts'
import {
  readStoredEvaluations,
  type StoredEvaluation,
} from '../../src/results/storedEvaluations.ts'
import { ended, hasProc, shardNames, smallWorld, until } from '../helpers/evaluation.ts'
import { long, measured, scaled, torture } from '../helpers/torture.ts'

const runs = hasProc && long
const readers = 200
const turns = scaled(1, 10)
const seconds = torture > 0 ? 30 : 4
const children: ChildProcess[] = []
let folder: string
let evaluation: ChildProcess
let server: ChildProcess
let log: string
let url: URL
let cookie = ''
let views: string[]
const agent = new Agent({ keepAlive: true, maxSockets: Infinity })

function forked(script: string, words: readonly string[]): ChildProcess {
  const child = fork(builtPath(script), words, { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
  children.push(child)
  return child
}

beforeAll(async () => {
  if (!runs) return
  folder = await mkdtemp(join(tmpdir(), 'geogap-load-'))
  const { images, weights } = await smallWorld(folder, 200)
  const regions = ['Africa', 'Americas', 'Asia', 'Europe']
  const row = (_: unknown, i: number) =>
    `p${i},${images}/${['n01440764', 'n01443537', 'n01484850'][(i % 200) % 3]!}/${i % 200}.png,${i % 7},${regions[i % 4]!}`
  const rows = Array.from({ length: scaled(60_000, 500_000) }, row)
  const manifest = join(folder, 'world.csv')
  await writeFile(manifest, `id,image,label,region\n${rows.join('\n')}\n`)
  const out = join(folder, 'out')
  log = join(folder, 'log')
  evaluation = forked('test/evaluate/evaluate.child.ts', [weights, manifest, out, log])
  await until('a first shard', async () => (await shardNames(out)).length > 0, 600)
  const client = join(folder, 'client')
  await mkdir(client)
  await writeFile(join(client, 'index.html'), '<!doctype html><title>geogap</title>')
  server = forked('test/dashboard/serve.child.ts', [out, client])
  const address = await new Promise<string>(resolve =>
    server.stdout!.once('data', data => resolve(String(data).trim())),
  )
  url = new URL(address)
  cookie = (await answer(address)).cookie
  views = await viewPaths((await readStoredEvaluations(out))[0]!)
}, 900_000)
afterAll(async () => {
  if (!runs) return
  agent.destroy()
  for (const child of children) {
    const end = ended(child)
    if (child.exitCode === null && child.kill('SIGKILL')) await end
  }
  await rm(folder, { recursive: true, force: true })
})

/** The files and the answers that a page asks for. */
async function viewPaths({ identity }: StoredEvaluation): Promise<string[]> {
  const { dataset, model } = identity
  const store = await openDashboardStore(join(folder, 'out'))
  const { datasets, models } = store.overview()
  const data = `/data/${datasets[0]!.folder}`
  const answers = (from: number) =>
    `/api/answers?${new URLSearchParams({
      dataset,
      model,
      ids: JSON.stringify(Array.from({ length: 24 }, (_, i) => `p${from + i}`)),
    }).toString()}`
  return [
    '/',
    '/data/overview.json',
    `${data}/counts.json`,
    `${data}/counts.json`,
    `${data}/${models[0]!.file}.json`,
    `${data}/${models[0]!.file}.json`,
    answers(0),
    answers(24),
  ]
}

/** Asks once more where the server has just closed a connection that was kept, as browsers do. */
const answer = (path: string) =>
  new Promise<{ status: number; cookie: string; seconds: number }>((resolve, reject) => {
    const started = performance.now()
    const ask = (): void => {
      const request = get(
        new URL(path, url),
        { agent, headers: cookie ? { cookie } : {} },
        reply => {
          reply.resume()
          reply.on('end', () => {
            const [given = ''] = reply.headers['set-cookie'] ?? []
            const seconds = (performance.now() - started) / 1000
            resolve({ status: reply.statusCode!, cookie: given.split(';')[0]!, seconds })
          })
        },
      )
      request.on('error', error => (request.reusedSocket ? ask() : reject(error)))
    }
    ask()
  })

/** Milliseconds between a page's questions for progress. */
const poll = 5000

/** One reader's visit: progress at every poll, every tenth time another view. */
async function visit(reader: number, end: number, times: number[], codes: number[]): Promise<void> {
  await wait((poll * reader) / readers)
  for (let i = reader; performance.now() < end; i++) {
    const reply = await answer(
      i % 10 === 0 ? views[(i / 10) % views.length]! : '/data/progress.json',
    )
    times.push(reply.seconds)
    codes.push(reply.status)
    await wait(Math.max(0, poll - 1000 * reply.seconds))
  }
}

const inferred = (): number =>
  readFileSync(log, 'utf8')
    .split('\n')
    .reduce((sum, line) => sum + Number(line), 0)
const megabytes = (): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid!}/status`, 'utf8'))![1]) / 1024

describe.skipIf(!runs)(
  'the dashboard during an evaluation (left out: GEOGAP_LONG=1 runs it)',
  () => {
    it(
      `answers ${readers} readers at once, and the evaluation goes on`,
      { timeout: 3_600_000 },
      async () => {
        const [times, codes, memory]: number[][] = [[], [], []]
        const images = { with: 0, without: 0 }
        for (let turn = 0; turn < 2 * turns; turn++) {
          const visited = turn % 2 === (turn >> 1) % 2
          const [before, started] = [inferred(), performance.now()]
          const end = started + 1000 * seconds
          if (visited)
            await Promise.all(
              Array.from({ length: readers }, (_, r) => visit(r, end, times!, codes!)),
            )
          else await wait(1000 * seconds)
          images[visited ? 'with' : 'without'] +=
            (inferred() - before) / ((performance.now() - started) / 1000) / turns
          if (visited) memory!.push(megabytes())
          expect(evaluation.exitCode).toBe(null)
        }
        times!.sort((a, b) => a - b)
        const slower = 1 - images.with / images.without
        measured(
          `${readers} readers for ${turns * seconds} s: ${codes!.length} answers, p50 ${ms(0.5)}, p99 ${ms(0.99)}, slowest ${ms(1)}; ` +
            `evaluation ${images.without.toFixed(1)} images/s without, ${images.with.toFixed(1)} with readers (${(100 * slower).toFixed(1)} % slower); ` +
            `server ${memory![0]!.toFixed(0)} MB after the first turn, ${memory!.at(-1)!.toFixed(0)} MB at the end`,
        )
        expect(codes!.filter(code => code !== 200)).toEqual([])
        expect(codes!.length).toBeGreaterThan((400 * turns * seconds * readers) / poll)
        expect(quantile(times!, 0.99)).toBeLessThan(torture > 0 ? 1 : 5)
        if (torture > 0) expect(slower).toBeLessThan(0.1)
        expect(memory!.at(-1)!).toBeLessThan(memory![0]! + 100)

        function ms(p: number): string {
          return `${(1000 * quantile(times!, p)).toFixed(0)} ms`
        }
      },
    )
  },
)
