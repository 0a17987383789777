/** One folder for all temporary files of a run of the tests, which goes with it, or, where the run was killed, when the next one starts. */
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { basename, join } from 'node:path'

/** Containers that share a temporary folder have other hosts' names, so that their process ids are not taken for ours. */
const prefix = `geogap-tests-${hostname()}-`

/** Makes the folder the temporary one of all processes of this run; returns what removes it. */
export default async function makeFolder(): Promise<() => void> {
  const parent = tmpdir()
  // Every project of the tests calls this.
  if (basename(parent).startsWith(`${prefix}${process.pid}-`)) return () => undefined
  await removeLeft(parent)
  const folder = mkdtempSync(join(parent, `${prefix}${process.pid}-`))
  // As open as /tmp, for processes that tests start as another user.
  chmodSync(folder, 0o1777)
  process.env['TMPDIR'] = folder
  return () => {
    process.env['TMPDIR'] = parent
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Removes the folders of runs that are over. */
export async function removeLeft(parent: string): Promise<void> {
  // The sources are built by the set-up before this one, when this module is loaded already.
  const { isProcessRunning } = await import('../src/lib/machine.ts')
  for (const name of readdirSync(parent)) {
    const [pid] = name.startsWith(prefix) ? name.slice(prefix.length).split('-') : []
    if (pid && !isProcessRunning(Number(pid)))
      rmSync(join(parent, name), { recursive: true, force: true })
  }
}
