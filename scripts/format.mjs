// Checks the format of all files: oxfmt, of the same style, names those that it would change, in a second; Prettier has the last word on these.
// GEOGAP_LONG=1 lets Prettier read all files: where the two differ, as in unions of several lines, oxfmt's form passes without it.
import { spawnSync } from 'node:child_process'

const node = (tool, ...args) =>
  spawnSync(process.execPath, [`node_modules/${tool}`, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })

function filesToRead() {
  if (process.env.GEOGAP_LONG === '1') return ['.']
  const { status, stdout } = node(
    'oxfmt/bin/oxfmt',
    '-c',
    '.prettierrc.json',
    '--list-different',
    '.',
  )
  // 0: none would change; 1: those that it names; anything else is a fault.
  return status === 0 || status === 1 ? stdout.split('\n').filter(line => line !== '') : ['.']
}

const files = filesToRead()
if (files.length > 0) {
  const prettier = ['prettier/bin/prettier.cjs', '--check', '--log-level', 'warn']
  const { status, stdout } = node(...prettier, '--ignore-unknown', ...files)
  process.stdout.write(stdout)
  process.exitCode = status ?? 1
}
