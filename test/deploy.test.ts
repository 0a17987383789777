/** The files of deploy/, as far as they run without containers: their forms, their commands, and the Compose file's queue and worker. */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { callsIn, parseOnly } from '../scripts/commandLines.ts'
import { commands } from '../src/cli/commands/index.ts'
import { buildProgram } from '../src/cli/commands/program.ts'
import { freePort, hasRedis } from './evaluate/queue/redis.ts'
import { geogap, start } from './helpers/cli.ts'
import { smallEvaluation, storedRows } from './helpers/evaluation.ts'

const service = z.strictObject({
  image: z.string().optional(),
  build: z.literal('.').optional(),
  command: z.union([z.string(), z.array(z.string())]),
  restart: z.enum(['no', 'always', 'on-failure', 'unless-stopped']).optional(),
  depends_on: z.array(z.enum(['queue', 'worker', 'dashboard'])).optional(),
  environment: z.record(z.string(), z.string()).optional(),
  ports: z.array(z.string().regex(/^127\.0\.0\.1:\d+:\d+$/)).optional(),
  volumes: z.array(z.string().regex(/^(\.\/)?[\w./]+:\/[\w./]+(:ro)?$/)).optional(),
})
const composeFile = z.strictObject({
  services: z.strictObject({ queue: service, worker: service, dashboard: service }),
  volumes: z.record(z.string(), z.null()),
})

const container = z.strictObject({
  name: z.string(),
  image: z.literal('geogap'),
  args: z.array(z.string()),
  env: z.array(z.looseObject({ name: z.string(), value: z.string().optional() })),
  resources: z.object({ requests: z.strictObject({ cpu: z.string(), memory: z.string() }) }),
  volumeMounts: z.array(z.looseObject({ name: z.string(), mountPath: z.string() })),
})
const workload = z.looseObject({
  apiVersion: z.enum(['batch/v1', 'apps/v1']),
  kind: z.enum(['Job', 'Deployment']),
  spec: z.looseObject({
    completions: z.number().optional(),
    template: z.looseObject({
      spec: z.looseObject({
        containers: z.array(container),
        volumes: z.array(z.looseObject({ name: z.string() })),
      }),
    }),
  }),
})

const compose = composeFile.parse(
  parse(await readFile('deploy/compose.yaml', 'utf8'), { merge: true }),
)
const { queue, worker, dashboard } = compose.services
const words = (command: string | string[]): string[] =>
  typeof command === 'string' ? command.split(' ') : command

describe('the files of deploy/', async () => {
  afterEach(() => void vi.unstubAllEnvs())
  const root = await buildProgram(commands)

  it('name commands and options that exist, and volumes that are declared', async () => {
    vi.stubEnv('GEOGAP_QUEUE', worker.environment!.GEOGAP_QUEUE)
    for (const { command } of [worker, dashboard]) await parseOnly(root, words(command))
    const named = [queue, worker, dashboard].flatMap(({ volumes = [] }) =>
      volumes.map(text => text.split(':')[0]!).filter(name => !name.startsWith('.')),
    )
    expect([...new Set(named)].sort()).toEqual(Object.keys(compose.volumes).sort())
    const comments = await readFile('deploy/compose.yaml', 'utf8')
    const [, call] = /run --rm worker (.*)/.exec(comments)!
    await parseOnly(root, words(call!))
    const script = await readFile('deploy/slurm.sh', 'utf8')
    const [, first, last] = /--array=(\d+)-(\d+)/.exec(script)!
    const task = { ID: first!, MIN: first!, MAX: last!, STEP: '1', COUNT: last! }
    for (const [name, value] of Object.entries(task)) vi.stubEnv(`SLURM_ARRAY_TASK_${name}`, value)
    for (const line of script.split('\n').filter(line => line.startsWith('geogap ')))
      for (const call of callsIn(line)) await parseOnly(root, call)
    expect(spawnSync('bash', ['-n', 'deploy/slurm.sh']).status).toBe(0)
  })

  it.each(['kubernetes-job.yaml', 'kubernetes-workers.yaml'])('%s is a workload', async name => {
    const documents = parseAllDocuments(await readFile(`deploy/${name}`, 'utf8'))
    expect(documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual([])
    for (const document of documents) {
      const { spec } = workload.parse(document.toJS())
      const { containers, volumes } = spec.template.spec
      for (const { args, env, volumeMounts } of containers) {
        vi.stubEnv('JOB_COMPLETION_INDEX', '0')
        for (const { name, value = 'of a secret' } of env) vi.stubEnv(name, value)
        await parseOnly(root, args)
        const completions = env.find(({ name }) => name === 'JOB_COMPLETIONS')?.value
        expect(completions).toBe(spec.completions?.toString())
        expect(volumeMounts.map(({ name }) => name)).toEqual(volumes.map(({ name }) => name))
      }
    }
  })
})

const hasOpenssl = spawnSync('openssl', ['version']).status === 0

describe.skipIf(!hasRedis || !hasOpenssl)(
  "the Compose file's queue and worker (left out: no redis-server or openssl here)",
  () => {
    let folder: string
    let port: number
    let server: ReturnType<typeof spawn>
    let environment: Record<string, string>

    /** Puts this machine's places where the containers have theirs. */
    const here = (text: string): string =>
      text
        .replace(/\$\{QUEUE_PASSWORD:\?[^}]*\}/, 'a-password')
        .replace('@queue:6379', `@127.0.0.1:${port}`)
        .replace(/^6379$/, String(port))
        .replace(/^\/(tls|results)\b/, join(folder, '$1'))

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'geogap-deploy-'))
      port = await freePort()
      for (const name of ['tls', 'queue', 'results']) await mkdir(join(folder, name))
      const comments = await readFile('deploy/compose.yaml', 'utf8')
      const [, request] = /openssl (req .*)/.exec(comments)!
      const names = request!.replace('DNS:queue', 'DNS:queue,IP:127.0.0.1').split(' ')
      execFileSync('openssl', names, { cwd: folder, stdio: 'ignore' })
      const [program, ...options] = words(queue.command)
      expect(program).toBe('valkey-server')
      const places = ['--bind', '127.0.0.1', '--dir', join(folder, 'queue')]
      server = spawn('redis-server', [...options.map(here), ...places], { stdio: 'ignore' })
      environment = Object.fromEntries(
        Object.entries(worker.environment!).map(([name, value]) => [name, here(value)]),
      )
      let code: number | null = 1
      while (code !== 0) {
        const listed = await geogap(['queue', 'list'], { env: { ...process.env, ...environment } })
        code = listed.code
        await delay(100)
      }
    }, 60_000)
    afterAll(async () => {
      const exited = once(server, 'exit')
      server.kill('SIGKILL')
      await exited
      await rm(folder, { recursive: true, force: true })
    })

    it('compute what an evaluation with --queue asks for, and refuse those without the password', async () => {
      const env = { ...process.env, ...environment }
      const args = await smallEvaluation(folder, 24)
      const alone = join(folder, 'alone')
      expect((await geogap(args(alone))).code).toBe(0)
      const working = start(words(worker.command).map(here), { env })
      const out = here('/results')
      const asked = await geogap([...args(out), '--queue'], { env })
      expect([asked.code, asked.stderr]).toEqual([0, expect.stringContaining('1/1 units')])
      const exited = once(working, 'exit')
      working.kill('SIGTERM')
      await exited
      expect(await storedRows(out)).toEqual(await storedRows(alone))
      const queueUrl = environment.GEOGAP_QUEUE!.replace('a-password', 'another')
      const refused = await geogap(['queue', 'list'], { env: { ...env, GEOGAP_QUEUE: queueUrl } })
      expect([refused.code, refused.stderr]).toEqual([
        2,
        expect.stringMatching(/refuses the user or password/),
      ])
    }, 120_000)
  },
)
