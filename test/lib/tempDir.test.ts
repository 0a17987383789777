import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { builtPath } from '../../scripts/built.ts'
import { start } from '../helpers/cli.ts'
import { evenly, storeRun } from '../helpers/storedRun.ts'

let folder: string
let env: NodeJS.ProcessEnv
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-leftover-'))
  env = { ...process.env, TMPDIR: join(folder, 'tmp') }
  await mkdir(env['TMPDIR']!)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const left = () => readdir(env['TMPDIR']!)

/** A process with a folder that holds a file; it says when. */
async function holding(more = '') {
  const module = JSON.stringify(builtPath('src/lib/tempDir.ts'))
  const script = `import { tempDir } from ${module}
    import { writeFileSync } from 'node:fs'
    ${more}
    writeFileSync(tempDir() + '/rows', 'rows')
    process.stdout.write('ready')
    setInterval(() => undefined, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  return child
}

async function ended(child: Awaited<ReturnType<typeof holding>>, signal: NodeJS.Signals) {
  child.kill(signal)
  return (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
}

describe.skipIf(process.platform === 'win32')('folders of a process', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    '%s ends it as ever and leaves nothing',
    async signal => {
      const child = await holding()
      expect(await left()).toHaveLength(1)
      expect(await ended(child, signal)).toEqual([null, signal])
      expect(await left()).toEqual([])
    },
  )

  it('stay while somebody else handles the signal, and go at the exit', async () => {
    const child = await holding(
      "process.on('SIGTERM', () => setTimeout(() => process.exit(7), 50))",
    )
    expect(await ended(child, 'SIGTERM')).toEqual([7, null])
    expect(await left()).toEqual([])
  })

  it('of a killed one go with the next; those of a living one, of links and of other names stay', async () => {
    const living = await holding()
    const killed = await holding()
    const name = (await left()).find(name => name.includes(`-${killed.pid}-`))!
    await ended(killed, 'SIGKILL')
    const outside = join(folder, 'outside')
    await mkdir(outside)
    await writeFile(join(outside, 'kept'), '')
    await symlink(outside, join(env['TMPDIR']!, name.slice(0, -1)))
    await mkdir(join(env['TMPDIR']!, name.replace('scratch', 'other')))
    const next = await holding()
    const now = await left()
    expect(
      now.some(each => each.includes(`-${living.pid}-`)) &&
        now.some(each => each.includes(`-${next.pid}-`)),
    ).toBe(true)
    expect(now).not.toContain(name)
    expect(now).toHaveLength(4)
    expect(await readdir(outside)).toEqual(['kept'])
    await Promise.all([living, next].map(child => ended(child, 'SIGINT')))
    expect(await left()).toHaveLength(2)
    for (const each of await left()) await rm(join(env['TMPDIR']!, each), { recursive: true })
  })

  it('a command that leaves images out leaves nothing when it is interrupted', async () => {
    const dir = join(folder, 'run')
    await storeRun(
      [{ model: 'a', dataset: 'd', correct: evenly(100, 0.5), groups: () => ({ region: 'Asia' }) }],
      dir,
    )
    await writeFile(join(folder, 'slice.csv'), 'dataset,id\nd,image-1\n')
    const child = start(['table', dir, '--exclude', join(folder, 'slice.csv')], { env })
    const code = once(child, 'exit')
    while ((await left()).length === 0 && child.exitCode === null)
      await new Promise(resolve => setTimeout(resolve, 2))
    child.kill('SIGINT')
    // On a busy machine it may be done before the signal comes.
    expect([
      [null, 'SIGINT'],
      [0, null],
    ]).toContainEqual(await code)
    expect(await left()).toEqual([])
  })
})
