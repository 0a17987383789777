// The whole check: types, lint, format, then the tests, whose last line counts them.
import { spawnSync } from 'node:child_process'

const steps = [
  ['typescript/bin/tsc', '--noEmit'],
  ['typescript/bin/tsc', '--noEmit', '-p', 'src/server/client'],
  ['eslint/bin/eslint.js', '.'],
  ['dependency-cruiser/bin/dependency-cruise.mjs', 'src'],
  ['knip/bin/knip.js'],
  ['../scripts/sizes.mjs'],
  ['prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', '.'],
  ['vitest/vitest.mjs', 'run', ...process.argv.slice(2)],
]
let failed = 0
for (const [tool, ...args] of steps) {
  const { status } = spawnSync(process.execPath, [`node_modules/${tool}`, ...args], { stdio: 'inherit' })
  if (status !== 0) {
    failed = 1
    if (!tool.startsWith('vitest')) process.stderr.write(`failed: ${tool}\n`)
  }
}
process.exit(failed)
