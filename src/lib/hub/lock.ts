/**
 * A lock between processes, so that one of them downloads and the others wait. It is an economy, not a guard: each
 * process writes a file of its own and renames it, so two holders (after a sleep of the machine, say) cost a second
 * download and nothing else. A lock whose process is gone, or that was not touched for a minute, is taken over.
 */
import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isProcessRunning } from '../machine.ts'

const pollMs = 150
const heartbeatMs = 10_000
const staleAfterMs = 60_000
const processToken = randomUUID()

/** Waits for the lock file, works, removes it. */
export async function withLock<T>(lock: string, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(lock), { recursive: true })
  const mine = `${hostname()} ${process.pid} ${processToken} ${randomUUID()}`
  while (!(await tryLock(lock, mine))) {
    await removeStale(lock)
    await sleep(pollMs * (0.5 + Math.random()))
  }
  const heartbeat = setInterval(() => {
    const now = new Date()
    utimes(lock, now, now).catch(() => undefined)
  }, heartbeatMs)
  try {
    return await work()
  } finally {
    clearInterval(heartbeat)
    if ((await contentOf(lock)) === mine) await rm(lock, { force: true })
  }
}

async function tryLock(lock: string, mine: string): Promise<boolean> {
  try {
    await writeFile(lock, mine, { flag: 'wx' })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

async function removeStale(lock: string): Promise<void> {
  const [found, content] = await Promise.all([stat(lock).catch(() => undefined), contentOf(lock)])
  if (!found) return
  const [host, pid, token] = content.split(' ')
  const isOld = Date.now() - found.mtimeMs > staleAfterMs
  if (!isOld && !(host === hostname() && isOwnerGone(Number(pid), token))) return
  const aside = `${lock}.${randomUUID()}`
  await rename(lock, aside).catch(() => undefined)
  await rm(aside, { force: true })
}

/** A number used again by this very process does not count as alive. */
function isOwnerGone(pid: number, token: string | undefined): boolean {
  return pid === process.pid ? token !== processToken : !isProcessRunning(pid)
}

const contentOf = (lock: string): Promise<string> => readFile(lock, 'utf8').catch(() => '')
