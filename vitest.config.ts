import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { relative, resolve } from 'node:path'
import { defineConfig, type Plugin } from 'vitest/config'
import { builtPath } from './scripts/built.ts'

/** Gives tests the built form of a source, except where a test replaces modules, which native imports do not allow. */
const built: Plugin = {
  name: 'built',
  enforce: 'pre',
  resolveId(source, importer) {
    if (!importer || !source.startsWith('.') || !source.endsWith('.ts')) return null
    const [name, from] = [resolve(importer, '..', source), importer].map(file =>
      relative(import.meta.dirname, file),
    )
    if (!name!.startsWith('src/') || from!.startsWith('src/')) return null
    return readFileSync(importer, 'utf8').includes('vi.mock(') ? null : builtPath(name!)
  },
}

/**
 * Tests that replace modules, or look at the processes and the memory of their own one, and the longest file, as these begin first. The
 * others share processes, which saves their start; vitest takes large files first, so that a small long one would end alone.
 */
const alone = [
  'models/families/conformance',
  'evaluate/neverMixed',
  'evaluate/ioFaults',
  'evaluate/workerFaults',
  'cli/signals',
  'evaluate/kill',
  'evaluate/longRun',
  'evaluate/manyModels',
  'lib/archive/archives',
  'lib/pixels/crop',
  'lib/pixels/golden',
  'lib/tensors/fuzz',
  'lib/hub/hub',
  'evaluate/workers/pool',
  'dashboard/load',
].map(name => `test/${name}.test.ts`)

export default defineConfig({
  plugins: [built],
  test: {
    globalSetup: ['./scripts/built.ts', './scripts/testFolder.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Evaluations of a test use several cores themselves; on two cores a third file fills their waits.
    maxWorkers: Math.max(3, Math.min(6, availableParallelism())),
    // What evaluations record of this machine stays out of the user's cache.
    env: { GEOGAP_CACHE: resolve('.build/cache') },
    pool: 'forks',
    server: { deps: { external: [/\/\.build\//] } },
    projects: [
      { extends: true, test: { name: 'alone', include: alone } },
      {
        extends: true,
        test: { name: 'together', include: ['test/**/*.test.ts'], exclude: alone, isolate: false },
      },
    ],
    reporters: ['default', './scripts/closingLine.ts'],
  },
})
