import { type ChildProcess, fork, type ForkOptions } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * Starts a module in a process of its own, with messages in the form of structured clones. `path` is relative to the module
 * `base`; its ending `.ts` becomes that of `base`, which is `.js` in the package. A fault of the channel ends the
 * process, so an `error` event needs no other listener.
 */
export function forkModule(
  path: string,
  base: string,
  options: Pick<ForkOptions, 'stdio' | 'detached'>,
): ChildProcess {
  const file = new URL(path.replace(/\.ts$/, extname(fileURLToPath(base))), base)
  const child = fork(fileURLToPath(file), [], { serialization: 'advanced', ...options })
  child.on('error', () => {
    child.kill('SIGKILL')
  })
  return child
}
