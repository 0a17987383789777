import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const beside = fileURLToPath(new URL('../../../shared', import.meta.url))

/** The folder of golden cases; absent where only this repository is, and then `describe.skipIf(!shared)` skips. */
export const shared: string | undefined =
  process.env.GEOGAP_SHARED ?? (existsSync(beside) ? beside : undefined)

/** A path under `shared`; for use inside tests that `skipIf(!shared)` guards. */
export const sharedPath = (path: string): string => `${shared ?? '.'}/${path}`
