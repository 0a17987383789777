/*
 * Start-up of the built program: `geogap --help`, and `geogap table` on a stored run of 98 models on eight data sets; medians of
 * wall clock and CPU time, beside an empty Node program.
 *
 *   npm run build && npx tsx bench/start.ts [share of 300,000 images, default 0.02]
 */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { inTemporaryFolder, median, printTable } from './common.ts'
import { storeTestbed } from './storedRun.ts'

const program = fileURLToPath(new URL('../dist/cli/bin/geogap.js', import.meta.url))
const [, , share = '0.02'] = process.argv

/** Bash's `times`: the children's user and system time. */
function cpuTime(args: readonly string[]): { wall: number; cpu: number } {
  const started = performance.now()
  const script = '"$@" > /dev/null; times'
  const text = execFileSync('bash', ['-c', script, 'bash', process.execPath, ...args], {
    encoding: 'utf8',
  })
  const parts = [...text.matchAll(/(\d+)m([\d.]+)s/g)].map(
    ([, minutes, seconds]) => 60 * Number(minutes) + Number(seconds),
  )
  const cpu = parts.slice(-2).reduce((sum, part) => sum + part, 0)
  return { wall: (performance.now() - started) / 1e3, cpu }
}

await inTemporaryFolder(async folder => {
  await storeTestbed(folder, Number(share))
  const commands: Record<string, string[]> = {
    'an empty program': ['-e', ''],
    'geogap --help': [program, '--help'],
    'geogap table': [program, 'table', folder],
    'geogap table --by region': [program, 'table', folder, '--by', 'region'],
  }
  const rows = Object.entries(commands).map(([name, args]) => {
    const times = Array.from({ length: 5 }, () => cpuTime(args))
    const shown = (['wall', 'cpu'] as const).map(key =>
      median(times.map(time => time[key])).toFixed(2),
    )
    return [name, ...shown]
  })
  await printTable(['start-up', 'seconds', 'seconds of CPU'], rows)
})
