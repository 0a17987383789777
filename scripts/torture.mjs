// The long versions of the tests that kill, starve and mislead geogap, then what they measured: node scripts/torture.mjs [SHARE] [FILES]
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const all = [
  ...['kill', 'ioFaults', 'races', 'workerFaults', 'fullDisk', 'badImages', 'longRun'].map(
    name => `evaluate/${name}`,
  ),
  ...['lib/tensors/fuzz', 'dashboard/load', 'analysis/gate'],
].map(name => `test/${name}.test.ts`)
const [share = '1', ...files] = process.argv.slice(2)
const folder = mkdtempSync(join(tmpdir(), 'geogap-torture-'))
const log = join(folder, 'measured')
writeFileSync(log, '')
const vitest = 'node_modules/vitest/vitest.mjs'
const { status } = spawnSync(
  process.execPath,
  [
    vitest,
    'run',
    '--no-file-parallelism',
    '--testTimeout',
    '36000000',
    ...(files.length > 0 ? files : all),
  ],
  { stdio: 'inherit', env: { ...process.env, GEOGAP_TORTURE: share, GEOGAP_TORTURE_LOG: log } },
)
process.stdout.write(`\n${readFileSync(log, 'utf8')}`)
rmSync(folder, { recursive: true })
process.exit(status ?? 1)
