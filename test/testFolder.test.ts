import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { removeLeft } from '../scripts/testFolder.ts'

const folder = mkdtempSync(join(tmpdir(), 'geogap-left-'))
afterAll(() => rmSync(folder, { recursive: true }))

it('temporary files of the tests lie in the folder of their run', () => {
  expect(basename(dirname(folder))).toMatch(/^geogap-tests-.*-\d+-\w{6}$/)
})

it('the folder of a killed run is removed, those of a running one and of others stay', async () => {
  const { pid } = spawnSync('true')
  const of = (owner: number) => join(folder, `geogap-tests-${hostname()}-${owner}-abcdef`)
  const others = [join(folder, `geogap-tests-elsewhere-${pid}-abcdef`), join(folder, 'mine')]
  for (const path of [of(pid), of(process.pid), ...others]) mkdirSync(path)
  writeFileSync(join(of(pid), 'left'), '')

  await removeLeft(folder)

  expect([of(pid), of(process.pid), ...others].map(path => existsSync(path))).toEqual([
    false,
    true,
    true,
    true,
  ])
})
