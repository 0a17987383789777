/**
 * Faults at the n-th file operation of this process. Every asynchronous function of node:fs/promises and every method of an
 * open file is counted, and the stream reader's callbacks; loading code is not, it uses the synchronous ones.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type Fault =
  /** The operation fails with this code. */
  | { kind: 'error'; code: string }
  /** The process stops for good: neither this operation nor any later one happens. */
  | { kind: 'crash' }
  /** The process kills itself; only operations that change something count. */
  | { kind: 'kill' }

/** One piece of work and what is to happen to it; only its own operations count. */
interface Attempt {
  at: number
  fault: Fault
  done: number
  /** Called when the operation's turn has come in an attempt that crashes. */
  onCrash?: () => void
}

let patched = false
const running = new AsyncLocalStorage<Attempt>()
let everywhere: (Attempt & { onFault: () => void }) | undefined
/** Files written, by any library, and not synced since, by the name that they have now. */
const unsynced = new Set<string>()
const synced = new Set<string>()
const paths = new WeakMap<object, string>()

type Method = (...args: unknown[]) => unknown
const names = [
  ...[
    'open',
    'rename',
    'rm',
    'unlink',
    'mkdir',
    'readdir',
    'readFile',
    'writeFile',
    'stat',
    'lstat',
    'utimes',
  ],
  ...['realpath', 'access', 'readlink', 'copyFile', 'opendir', 'link'],
]
const methods = ['write', 'writeFile', 'read', 'readFile', 'sync', 'datasync', 'stat', 'truncate']

const changing = new Set([
  'write',
  'writeFile',
  'sync',
  'truncate',
  'rename',
  'link',
  'rm',
  'mkdir',
  'copyFile',
])

function counted(name: string, args: readonly unknown[]): Promise<void> | undefined {
  const attempt = running.getStore() ?? everywhere
  if (
    !attempt ||
    (attempt.fault.kind === 'kill' && !changing.has(name)) ||
    ++attempt.done < attempt.at
  )
    return undefined
  if (attempt.fault.kind === 'kill') process.kill(process.pid, 'SIGKILL')
  if (attempt.fault.kind !== 'error') {
    attempt.onCrash?.()
    return new Promise(() => undefined)
  }
  if (attempt.done > attempt.at) return undefined
  everywhere?.onFault()
  const path = typeof args[0] === 'string' ? ` '${args[0]}'` : ''
  const { code } = attempt.fault
  const error = Object.assign(new Error(`${code}: injected, ${name}${path}`), {
    code,
    syscall: name,
    errno: -5,
  })
  return Promise.reject(error)
}

async function patch(): Promise<void> {
  if (patched) return
  patched = true
  const promises = fs.promises as unknown as Record<string, Method>
  for (const name of names) {
    const original = promises[name]!
    promises[name] = async (...args: unknown[]) => {
      await counted(name, args)
      const result = await original(...args)
      if (name === 'rename' || name === 'link') {
        const [from, to] = args.map(String)
        if (!synced.has(from!)) unsynced.add(to!)
      }
      if (name === 'open') {
        paths.set(result as object, String(args[0]))
        if (/w|r\+/.test(String(args[1]))) {
          unsynced.add(String(args[0]))
          synced.delete(String(args[0]))
        }
      }
      return result
    }
  }
  await patchHandles()
  patchStream()
  syncBuiltinESMExports()
}

async function patchHandles(): Promise<void> {
  const handle = await fs.promises.open(join(tmpdir()), 'r')
  const prototype = Object.getPrototypeOf(handle) as Record<string, Method>
  await handle.close()
  for (const name of methods) {
    const original = prototype[name]!
    prototype[name] = async function (this: object, ...args: unknown[]) {
      await counted(name, [paths.get(this)])
      const result = await original.apply(this, args)
      if (name === 'sync') {
        unsynced.delete(paths.get(this) ?? '')
        synced.add(paths.get(this) ?? '')
      }
      return result
    }
  }
}

/** `createReadStream` opens and reads through these. */
function patchStream(): void {
  const callbacks = fs as unknown as Record<string, Method>
  for (const name of ['open', 'read']) {
    const original = callbacks[name]!
    callbacks[name] = (...args: unknown[]) => {
      const callback = args.at(-1) as (error: Error) => void
      const fault = counted(name, args)
      if (fault) fault.catch((error: unknown) => callback(error as Error))
      else original(...args)
    }
  }
}

/** Lets the n-th operation of this whole process fail. */
export async function failOnce(at: number, code: string, onFault: () => void): Promise<void> {
  await patch()
  everywhere = { at, fault: { kind: 'error', code }, done: 0, onFault }
}

export interface Outcome<T> {
  /** File operations that were begun. */
  operations: number
  /** Whether the fault's turn came. */
  reached: boolean
  /** What the work gave, unless it failed or crashed. */
  value?: T
  error?: unknown
  crashed: boolean
}

/**
 * Does `work` with a fault at its n-th file operation. After a crash what had not been synced is cut to half its length,
 * as a power cut may leave it, and whatever the crashed work would still do never happens.
 */
export async function withFault<T>(
  at: number,
  fault: Fault,
  work: () => Promise<T>,
): Promise<Outcome<T>> {
  await patch()
  unsynced.clear()
  synced.clear()
  const attempt: Attempt = { at, fault, done: 0 }
  const crashed = new Promise<'crash'>(resolve => (attempt.onCrash = () => resolve('crash')))
  const ending = await Promise.race([
    running.run(attempt, work).then(
      value => ({ value }),
      (error: unknown) => ({ error }),
    ),
    crashed,
  ])
  const operations = attempt.done
  if (ending === 'crash') for (const file of unsynced) cutInHalf(file)
  return {
    operations,
    reached: operations >= at,
    crashed: ending === 'crash',
    ...(ending === 'crash' ? {} : ending),
  }
}

function cutInHalf(file: string): void {
  if (!fs.existsSync(file)) return
  fs.truncateSync(file, fs.statSync(file).size >> 1)
}
