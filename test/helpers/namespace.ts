/** Commands with mounts of their own, for tests that fill a disk or take the right to write away. */
import { spawnSync } from 'node:child_process'

const flags = ['--user', '--map-root-user', '--mount']

/** Whether this machine lets us mount: containers and some systems do not. */
export const canMount =
  spawnSync('unshare', [...flags, 'mount', '-t', 'tmpfs', 'tmpfs', '/tmp']).status === 0

/** Runs a shell script, where mounting is allowed, with `words` as its `$1`, `$2` …; for two minutes at most. */
export function mounted(
  script: string,
  words: readonly string[],
  environment: NodeJS.ProcessEnv = {},
) {
  const env = { ...process.env, ...environment }
  return spawnSync('unshare', [...flags, 'sh', '-c', script, 'sh', ...words], {
    encoding: 'utf8',
    env,
    timeout: 120_000,
    killSignal: 'SIGKILL',
  })
}
