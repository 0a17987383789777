/*
 * Temporary folders of one process. They are removed when it ends, also by a signal that it does not handle otherwise; those of a
 * killed process are removed by the user's next process that needs a folder. A name tells machine and PID namespace, for other
 * machines and containers may share the folder for temporary files.
 */
import { lstatSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { isProcessRunning } from './machine.ts'
import { sha256 } from './hash.ts'

const folders = new Set<string>()

/** Makes a folder that lasts as long as the process. */
export function tempDir(): string {
  if (folders.size === 0) registerCleanup()
  const folder = mkdtempSync(join(tmpdir(), `${folderPrefix()}${process.pid}-`))
  folders.add(folder)
  return folder
}

/** Calls `work` with a new folder, which is removed afterwards. */
export async function withTempDir<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = tempDir()
  try {
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
    folders.delete(folder)
  }
}

const folderPrefix = (): string => `geogap-scratch-${sha256(`${hostname()} ${pidNamespace()}`, 8)}-`

/** Returns the process's PID namespace on Linux, in which its number is unique. */
function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return ''
  }
}

let isCleanupRegistered = false

function registerCleanup(): void {
  if (isCleanupRegistered) return
  isCleanupRegistered = true
  process.on('exit', removeAll)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, removeAllAndExit)
  removeAbandoned()
}

function removeAll(): void {
  for (const folder of folders) remove(folder)
}

/** Removes a folder; what cannot be removed now is left to a later process. */
function remove(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true, maxRetries: 2 })
  } catch {
    return
  }
}

/** Ends the process as the signal would have, unless somebody else handles it. */
function removeAllAndExit(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return
  removeAll()
  process.off(signal, removeAllAndExit)
  process.kill(process.pid, signal)
}

/** Removes the folders of processes that are gone. */
function removeAbandoned(): void {
  const root = tmpdir()
  const start = folderPrefix()
  for (const name of readdirSync(root).filter(name => name.startsWith(start))) {
    const pid = Number(name.slice(start.length).split('-')[0])
    if (!isProcessRunning(pid) && isOwn(join(root, name))) remove(join(root, name))
  }
}

/** Whether a folder is this user's: in another user's folder a link could point anywhere while it is removed. */
function isOwn(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false })
  return (
    found !== undefined && found.isDirectory() && found.uid === (process.getuid?.() ?? found.uid)
  )
}
