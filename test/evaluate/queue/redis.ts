import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { Redis } from 'ioredis'

/** Whether `redis-server` is installed; tests that need it are skipped without it. */
export const hasRedis = ((): boolean => {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()

export interface TestRedis {
  url: string
  port: number
  pid: number | undefined
  stop: (signal?: NodeJS.Signals) => Promise<void>
  start: () => Promise<void>
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** A server on 127.0.0.1 that keeps its data in `folder` over restarts. */
export async function startRedis(folder: string, ...options: string[]): Promise<TestRedis> {
  const port = await freePort()
  const fixed = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--dir',
    folder,
    '--save',
    '',
    '--appendonly',
    'yes',
  ]
  let child: ChildProcess | undefined
  const start = async (): Promise<void> => {
    child = spawn('redis-server', [...fixed, ...options], { stdio: 'ignore' })
    await answers(port)
  }
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    await once(child, 'exit')
  }
  await start()
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    start,
    stop,
    get pid() {
      return child?.pid
    },
  }
}

async function answers(port: number): Promise<void> {
  const client = new Redis(port, '127.0.0.1', {
    retryStrategy: () => 50,
    maxRetriesPerRequest: null,
  })
  client.on('error', () => undefined)
  await client.ping().catch((error: unknown) => {
    if (!String(error).includes('NOAUTH')) throw error
  })
  client.disconnect()
}
