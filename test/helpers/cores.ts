/** How many cores evaluations find: one makes them start one worker, where a second one would only cost its start. */
import { syncBuiltinESMExports } from 'node:module'
import os from 'node:os'
import { afterAll, beforeAll } from 'vitest'
import { builtPath } from '../../scripts/built.ts'

/** Gives the evaluations of this test file so many cores, as far as they run in this process. */
export function useCores(count: number): void {
  const { availableParallelism } = os
  const replace = (by: () => number): void => {
    os.availableParallelism = by
    syncBuiltinESMExports()
  }
  beforeAll(() => replace(() => count))
  afterAll(() => replace(availableParallelism))
}

/** Environment of a process that finds so many cores. */
export const withCores = (count: number): NodeJS.ProcessEnv => ({
  ...process.env,
  NODE_OPTIONS: `--import ${builtPath('test/helpers/cores.child.ts')}`,
  GEOGAP_TEST_CORES: String(count),
})
