/*
 * Compares every architecture with its reference library: builds the graph of each golden case, fills it with formula
 * weights, runs formula images, and prints the largest error over the deviation of the expected output.
 *
 *   npm run conformance -- --golden DIR [--models a,b] [--known-only]
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { architectureOfCase, checkCase, readGoldenFile } from './conformanceCase.ts'

const bound = 1e-4

const { values: options } = parseArgs({
  options: {
    golden: { type: 'string' },
    models: { type: 'string' },
    'known-only': { type: 'boolean', default: false },
  },
})
if (!options.golden) {
  process.stderr.write('usage: npm run conformance -- --golden DIR [--models a,b] [--known-only]\n')
  process.exit(2)
}

const wanted = options.models?.split(',')
const present = (await readdir(options.golden))
  .filter(name => name.endsWith('.json'))
  .map(name => name.slice(0, -5))
const absent = wanted?.filter(name => !present.includes(name)) ?? []
if (absent.length > 0) {
  process.stderr.write(`no golden file for ${absent.join(', ')}; there are ${present.join(', ')}\n`)
  process.exit(2)
}

const folder = await mkdtemp(join(tmpdir(), 'geogap-conformance-'))
let within = 0
let failed = 0
try {
  for (const name of wanted ?? present.sort()) {
    const golden = readGoldenFile(join(options.golden, `${name}.json`))
    if (!architectureOfCase(golden)) {
      process.stdout.write(
        `${name.padEnd(28)} no builder${options['known-only'] ? ', skipped' : ''}\n`,
      )
      if (!options['known-only']) failed += 1
      continue
    }
    const line = await checkCase(golden, folder).then(
      result => ({
        text: `${result.worst.toExponential(2)}  ${result.detail}`,
        ok: result.worst <= bound,
      }),
      (error: unknown) => ({
        text: `error: ${error instanceof Error ? error.message : String(error)}`,
        ok: false,
      }),
    )
    process.stdout.write(`${name.padEnd(28)} ${line.ok ? 'ok  ' : 'FAIL'} ${line.text}\n`)
    if (line.ok) within += 1
    else failed += 1
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
process.stdout.write(`${within} within ${bound} of the deviation, ${failed} not\n`)
process.exit(failed > 0 ? 1 : 0)
