// The whole check: types, lint, format and the like, and beside them the tests, whose last line counts them.
import { spawn } from 'node:child_process'

const checks = [
  ['oxlint/bin/oxlint', '--type-check'],
  ['knip/bin/knip.js'],
  ['../scripts/rooms.mjs'],
  ['../scripts/sizes.mjs'],
  ['../scripts/format.mjs'],
]
// The compiler and the linter themselves, whose rules the above has in one faster program.
if (process.env.GEOGAP_LONG === '1') {
  const tsc = ['typescript-native/bin/tsc', '--noEmit']
  checks.push(tsc, [...tsc, '-p', 'src/dashboard/client'], ['eslint/bin/eslint.js', '.'])
}
const failed = []
let counts = ''

/** Runs a tool; what it says comes in one piece at its end where others run beside it. */
const run = ([tool, ...args], stdio = 'pipe') =>
  new Promise(resolve => {
    const child = spawn(process.execPath, [`node_modules/${tool}`, ...args], { stdio })
    const output = []
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', chunk => output.push(chunk))
    child.on('message', line => (counts = line))
    child.on('close', code => {
      process.stdout.write(Buffer.concat(output))
      if (code !== 0) failed.push(tool)
      resolve()
    })
  })

async function runChecks() {
  for (const check of checks) await run(check)
}

const checked = runChecks()
await run(
  ['vitest/vitest.mjs', 'run', ...process.argv.slice(2)],
  ['inherit', 'inherit', 'inherit', 'ipc'],
)
await checked
for (const tool of failed) process.stderr.write(`failed: ${tool}\n`)
process.stdout.write(`\n${counts || 'no tests were run'}\n`)
process.exit(failed.length > 0 ? 1 : 0)
