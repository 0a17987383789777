import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { geogap } from '../../helpers/cli.ts'

it('leaves no trace of ONNX Runtime reporting to its maker', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'geogap-session-'))
  try {
    // Without what the runtime itself keeps silent by, such as CI.
    const { PATH } = process.env
    const { stdout } = await geogap(['doctor'], { env: { PATH, HOME: folder, TMPDIR: folder } })
    expect(stdout).toMatch(/inference +onnxruntime \S+ on cpu/)
    expect(await readdir(folder)).toEqual([])
  } finally {
    await rm(folder, { recursive: true })
  }
})
