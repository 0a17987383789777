import { spawn, type SpawnOptions } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface Finished {
  code: number | null
  stdout: string
  stderr: string
}

/** The words that start the command line from its sources. */
export const cli = [
  process.execPath,
  '--import',
  'tsx',
  fileURLToPath(new URL('../src/bin/geogap.ts', import.meta.url)),
]

/** Starts the command line from its sources. */
export function start(args: readonly string[], options: SpawnOptions = {}) {
  return spawn(cli[0]!, [...cli.slice(1), ...args], { stdio: ['ignore', 'pipe', 'pipe'], ...options })
}

/** Runs the command line to its end. */
export function geogap(args: readonly string[], options: SpawnOptions = {}): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = start(args, options)
    let [stdout, stderr] = ['', '']
    child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
    child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    child.on('error', reject)
    child.on('close', code => resolve({ code, stdout, stderr }))
  })
}
