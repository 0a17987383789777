import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { loadCheckpoint } from '../../../src/experiments/training/checkpoint.ts'

it('a checkpoint that is there but cannot be read is not taken for none', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'geogap-checkpoint-'))
  expect(await loadCheckpoint(folder, {})).toBeUndefined()
  await mkdir(join(folder, 'checkpoint.json'))
  await expect(loadCheckpoint(folder, {})).rejects.toThrow('EISDIR')
  await rm(folder, { recursive: true })
})
