import { readdirSync } from 'node:fs'
import { expect, it } from 'vitest'
import { affectedTests } from '../scripts/changes.mjs'

it('a changed source comes with its own test first, then with those that import it', () => {
  const tests = affectedTests(['src/lib/archive/zip.ts'])
  expect(tests).toContain('test/lib/archive/archives.test.ts')
  expect(affectedTests(['src/metrics/progress.ts'])[0]).toBe('test/metrics/progress.test.ts')
  expect(affectedTests(['test/docs.test.ts'])[0]).toBe('test/docs.test.ts')
})

it.each([
  ['a module of a child process', 'src/evaluate/workers/worker.ts', 'test/evaluate/workers/pool'],
  ['a program that a test starts', 'test/lib/hub/hub.child.ts', 'test/lib/hub/hub'],
  ['a dynamic import', 'src/cli/commands/compare.ts', 'test/cli/commands/program'],
  ['the client', 'src/dashboard/client/route.ts', 'test/dashboard/dashboard'],
  ['data beside a module', 'src/models/testbed.tsv', 'test/docs'],
])('%s reaches its tests: %s', (_, changed, test) => {
  expect(affectedTests([changed])).toContain(`${test}.test.ts`)
})

it('every room has tests that reach it', () => {
  const modules = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .map(name => `src/${name.replaceAll('\\', '/')}`)
    .filter(name => /\.tsx?$/.test(name) && !name.endsWith('.d.ts'))
  const rooms = [...new Set(modules.map(name => name.split('/').slice(0, 2).join('/')))]
  for (const room of rooms)
    expect(
      affectedTests(modules.filter(name => name.startsWith(room))).length,
      room,
    ).toBeGreaterThan(0)
})
