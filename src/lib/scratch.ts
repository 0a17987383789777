/*
 * Folders for what this process alone needs. They go when it ends, also by a signal that it does not handle otherwise; what was left
 * by one that was killed goes with the next of this user that needs a folder. A name says whose it is: processes of other machines
 * and containers that share the place for temporary files are not known here.
 */
import { lstatSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { isRunning } from './machine.ts'
import { sha256 } from './hash.ts'

const folders = new Set<string>()

/** A new folder that lasts as long as the process. */
export function scratchFolder(): string {
  if (folders.size === 0) begin()
  const folder = mkdtempSync(join(tmpdir(), `${prefix()}${process.pid}-`))
  folders.add(folder)
  return folder
}

/** Gives `work` a new folder, and removes it afterwards. */
export async function inScratch<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = scratchFolder()
  try {
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
    folders.delete(folder)
  }
}

const prefix = (): string => `geogap-scratch-${sha256(`${hostname()} ${processes()}`, 8)}-`

/** Where this process's number means something, on Linux. */
function processes(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return ''
  }
}

let begun = false

function begin(): void {
  if (begun) return
  begun = true
  process.on('exit', removeAll)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, endBy)
  sweep()
}

function removeAll(): void {
  for (const folder of folders) remove(folder)
}

/** What cannot be removed now goes another time. */
function remove(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true, maxRetries: 2 })
  } catch {
    return
  }
}

/** Ends the process as the signal would have, unless somebody else handles it. */
function endBy(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return
  removeAll()
  process.off(signal, endBy)
  process.kill(process.pid, signal)
}

/** Removes what processes that are gone have left. */
function sweep(): void {
  const [root, start] = [tmpdir(), prefix()]
  for (const name of readdirSync(root).filter(name => name.startsWith(start))) {
    const pid = Number(name.slice(start.length).split('-')[0])
    if (!isRunning(pid) && isOwn(join(root, name))) remove(join(root, name))
  }
}

/** In the folder of another user a link could point anywhere while it is removed. */
function isOwn(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false })
  return found !== undefined && found.isDirectory() && found.uid === (process.getuid?.() ?? found.uid)
}
