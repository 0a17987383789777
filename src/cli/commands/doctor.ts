import { Command } from 'commander'
import { type EnvironmentCheck } from '../environment.ts'
import { jsonText, stripControlCharacters } from '../../lib/table/text.ts'

/**
 * Builds the command `geogap doctor`.
 *
 * @example
 *     geogap doctor
 */
export function command(): Command {
  return new Command('doctor')
    .description('Say what runs here, and the exact fix for what does not.')
    .option('--json', 'as JSON', false)
    .addHelpText('after', '\nExample:\n  geogap doctor')
    .action(async ({ json }: { json: boolean }) => run(json))
}

async function run(json: boolean): Promise<void> {
  const { diagnose } = await import('../environment.ts')
  const checks = await diagnose()
  process.stdout.write(json ? jsonText(checks) : checks.map(environmentCheckText).join(''))
  if (checks.some(({ status }) => status === 'missing')) process.exitCode = 2
}

function environmentCheckText({ name, status, found, fix }: EnvironmentCheck): string {
  const head = `${status.padEnd(8)} ${name.padEnd(10)} ${stripControlCharacters(found)}\n`
  return fix === undefined ? head : `${head}${' '.repeat(20)}fix: ${stripControlCharacters(fix)}\n`
}
