import { readFileSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { defineConfig, type Plugin } from 'vitest/config'
import { builtPath } from './scripts/built.ts'

/** Gives tests the built form of a source, except where a test replaces modules, which native imports do not allow. */
const built: Plugin = {
  name: 'built',
  enforce: 'pre',
  resolveId(source, importer) {
    if (!importer || !source.startsWith('.') || !source.endsWith('.ts')) return null
    const [name, from] = [resolve(importer, '..', source), importer].map(file => relative(import.meta.dirname, file))
    if (!name!.startsWith('src/') || from!.startsWith('src/')) return null
    return readFileSync(importer, 'utf8').includes('vi.mock(') ? null : builtPath(name!)
  },
}

export default defineConfig({
  plugins: [built],
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: './scripts/built.ts',
    testTimeout: 120_000,
    hookTimeout: 120_000,
    maxWorkers: 3,
    pool: 'forks',
    server: { deps: { external: [/\/\.build\//] } },
    reporters: ['default', './scripts/closingLine.ts'],
  },
})
