import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, rename } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { until } from './evaluation.ts'

/** Returns the folder of the dashboard's browser code, which the first test that asks for it builds for all of this run. */
export async function builtClient(): Promise<string> {
  // One folder for all processes of this run, see scripts/testFolder.ts.
  const folder = join(tmpdir(), 'geogap-client')
  const isFirst = await mkdir(`${folder}-begun`).then(
    () => true,
    () => false,
  )
  if (isFirst) {
    await promisify(execFile)(process.execPath, ['scripts/client.mjs', `${folder}-part`], {
      env: { ...process.env, NODE_ENV: 'production' },
    })
    await rename(`${folder}-part`, folder)
  } else await until('the browser code is built', () => existsSync(folder))
  return folder
}
