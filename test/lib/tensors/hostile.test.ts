import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { builtPath } from '../../../scripts/built.ts'
import { shared, sharedPath } from '../../helpers/shared.ts'

interface Outcome {
  file: string
  ms: number
  peakMB: number
  tensors?: number
  error?: string
  message?: string
}

const child = builtPath('test/lib/tensors/hostile.child.ts')

describe.skipIf(!shared)('hostile weight files (need ../shared)', () => {
  let cwd: string
  let outcomes: Outcome[]
  let before: string[]

  beforeAll(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'geogap-hostile-'))
    const folder = sharedPath('golden/checkpoints/hostile')
    before = await readdir(folder)
    const files = before.map(name => join(folder, name))
    const { stdout } = await promisify(execFile)(process.execPath, [child, ...files], { cwd })
    outcomes = stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as Outcome)
    if (process.env.GEOGAP_FIGURES)
      console.table(outcomes.map(o => ({ ...o, file: basename(o.file) })))
  })
  afterAll(() => rm(cwd, { recursive: true }))

  it('are refused with a clear error of one line', () => {
    expect(outcomes.length).toBeGreaterThan(20)
    const allowed = ['proto_key.safetensors', 'slip.pth']
    for (const { file, error, message } of outcomes) {
      if (allowed.includes(basename(file)) && error === undefined) continue
      expect({ file, error }).toEqual({ file, error: 'GeogapError' })
      expect(message).toMatch(/^[^\n]{20,600}$/)
    }
  })

  it('cost less than a second and 200 MB each', () => {
    for (const { file, ms, peakMB } of outcomes) {
      expect(ms, file).toBeLessThan(1000)
      expect(peakMB, file).toBeLessThan(200)
    }
  })

  it('leave no file behind', async () => {
    expect(await readdir(cwd)).toEqual([])
    expect(await readdir(sharedPath('golden/checkpoints/hostile'))).toEqual(before)
    expect(await readdir(sharedPath('golden/checkpoints'))).not.toContain('escape.txt')
  })
})
