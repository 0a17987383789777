import { Command } from 'commander'
import { type Check } from '../environment.ts'
import { jsonText, printable } from '../../lib/table/text.ts'

export function command(): Command {
  return new Command('doctor')
    .description('Say what runs here, and the exact mend for what does not.')
    .option('--json', 'as JSON', false)
    .addHelpText('after', '\nExample:\n  geogap doctor')
    .action(async ({ json }: { json: boolean }) => run(json))
}

async function run(json: boolean): Promise<void> {
  const { diagnose } = await import('../environment.ts')
  const checks = await diagnose()
  process.stdout.write(json ? jsonText(checks) : checks.map(lines).join(''))
  if (checks.some(({ status }) => status === 'missing')) process.exitCode = 2
}

function lines({ name, status, found, mend }: Check): string {
  const head = `${status.padEnd(8)} ${name.padEnd(10)} ${printable(found)}\n`
  return mend === undefined ? head : `${head}${' '.repeat(20)}mend: ${printable(mend)}\n`
}
