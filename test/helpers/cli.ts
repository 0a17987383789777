import { spawn, type SpawnOptions } from 'node:child_process'
import { builtPath } from '../../scripts/built.ts'

export interface Finished {
  code: number | null
  stdout: string
  stderr: string
}

/** The words that start the command line. */
export const cli = [process.execPath, builtPath('src/cli/bin/geogap.ts')]

/** Starts the command line as a process. */
export function start(args: readonly string[], options: SpawnOptions = {}) {
  return spawn(cli[0]!, [...cli.slice(1), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options,
  })
}

/** Runs the command line to its end as a process. */
function spawned(args: readonly string[], options: SpawnOptions): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = start(args, options)
    let [stdout, stderr] = ['', '']
    child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
    child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    child.on('error', reject)
    child.on('close', code => resolve({ code, stdout, stderr }))
  })
}

/** Runs the command line to its end: one at a time within this process, which costs no start, or as one of its own by `options`. */
export const geogap = (args: readonly string[], options?: SpawnOptions): Promise<Finished> =>
  options ? spawned(args, options) : called(args)

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

async function called(args: readonly string[]): Promise<Finished> {
  const { run } = await import('../../src/cli/bin/run.ts')
  const { setQuiet } = await import('../../src/cli/commands/terminal.ts')
  setQuiet(false)
  const written = { stdout: '', stderr: '' }
  const streams = ['stdout', 'stderr'] as const
  const before = streams.map(name => process[name].write.bind(process[name]))
  const listening = signals.map(name => process.listeners(name))
  for (const name of streams) process[name].write = text => ((written[name] += String(text)), true)
  const code = process.exitCode
  process.exitCode = 0
  try {
    await run(args)
    return { code: process.exitCode, ...written }
  } finally {
    for (const [i, name] of streams.entries()) process[name].write = before[i]!
    for (const [i, name] of signals.entries())
      for (const each of process.listeners(name))
        if (!listening[i]!.includes(each)) process.off(name, each)
    process.exitCode = code
  }
}
