import { appendFileSync } from 'node:fs'

/** Share of the long version that runs: 0 in CI, 1 by `npm run torture`. */
export const torture = Number(process.env.GEOGAP_TORTURE ?? 0)

/** Whether cases run that take minutes: in `.ci/run` (GEOGAP_LONG=1) and by `npm run torture`. */
export const long = torture > 0 || process.env.GEOGAP_LONG === '1'

/** How many cases: `few` in CI, `all` times the share by `npm run torture`. */
export const scaled = (few: number, all: number): number =>
  torture > 0 ? Math.max(few, Math.round(all * torture)) : few

/** Keeps a line for the summary of `npm run torture`. */
export function measured(line: string): void {
  const file = process.env.GEOGAP_TORTURE_LOG
  if (file) appendFileSync(file, `${line}\n`)
}
