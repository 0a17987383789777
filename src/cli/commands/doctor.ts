import { wrapToTerminal } from '../../lib/table/fit.ts'
import { jsonText, stripControlCharacters } from '../../lib/table/text.ts'
import { type EnvironmentCheck } from '../environment.ts'
import { defineCommand } from './command.ts'

export const command = defineCommand({
  name: 'doctor',
  text: 'Say what runs here, and the exact fix for what does not.',
  options: { '--json': 'as JSON' },
  examples: ['geogap doctor'],
  run: async ({ json }) => {
    const { diagnose } = await import('../environment.ts')
    const checks = await diagnose()
    process.stdout.write(
      json ? jsonText(checks) : wrapToTerminal(checks.map(environmentCheckText).join('')),
    )
    if (checks.some(({ status }) => status === 'missing')) process.exitCode = 2
  },
})

function environmentCheckText({ name, status, found, fix }: EnvironmentCheck): string {
  const head = `${status.padEnd(8)} ${name.padEnd(10)} ${stripControlCharacters(found)}\n`
  return fix === undefined ? head : `${head}${' '.repeat(20)}fix: ${stripControlCharacters(fix)}\n`
}
