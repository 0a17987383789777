// The whole check: types, lint, format and the like on two cores, then the tests, whose last line counts them.
import { spawn } from 'node:child_process'

const checks = [
  ['eslint/bin/eslint.js', '.'],
  ['typescript/bin/tsc', '--noEmit'],
  ['typescript/bin/tsc', '--noEmit', '-p', 'src/server/client'],
  ['dependency-cruiser/bin/dependency-cruise.mjs', 'src'],
  ['knip/bin/knip.js'],
  ['../scripts/sizes.mjs'],
  ['prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', '.'],
]
let failed = 0

/** Runs a tool; what it says comes in one piece at its end where others run beside it. */
const run = ([tool, ...args], stdio) =>
  new Promise(resolve => {
    const child = spawn(process.execPath, [`node_modules/${tool}`, ...args], { stdio })
    const output = []
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', chunk => output.push(chunk))
    child.on('close', code => {
      process.stdout.write(Buffer.concat(output))
      if (code !== 0) failed = 1
      if (code !== 0 && stdio === 'pipe') process.stderr.write(`failed: ${tool}\n`)
      resolve()
    })
  })

const queue = checks.values()
const lane = async () => {
  for (const check of queue) await run(check, 'pipe')
}
await Promise.all([lane(), lane()])
await run(['vitest/vitest.mjs', 'run', ...process.argv.slice(2)], 'inherit')
process.exit(failed)
