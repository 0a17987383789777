import { wrapToTerminal } from '../../lib/table/fitToTerminal.ts'
import { jsonText, stripControlCharacters } from '../../lib/table/text.ts'
import { type EnvironmentCheck } from '../doctorChecks.ts'
import { defineCommand } from './command.ts'

export const command = defineCommand({
  name: 'doctor',
  text: 'Say what runs here, and the exact fix for what does not.',
  options: { '--json': 'as JSON' },
  examples: ['geogap doctor'],
  run: async ({ json }) => {
    const { diagnose } = await import('../doctorChecks.ts')
    const checks = await diagnose()
    process.stdout.write(json ? jsonText(checks) : checks.map(environmentCheckText).join(''))
    if (checks.some(({ status }) => status === 'missing')) process.exitCode = 2
  },
})

const indent = ' '.repeat(20)

/** Returns a line for the check and one for its fix; what is wrapped stays in its column. */
function environmentCheckText({ name, status, found, fix }: EnvironmentCheck): string {
  const wrapped = (text: string): string =>
    wrapToTerminal(`${indent}${stripControlCharacters(text)}`)
  const head = `${status.padEnd(8)} ${name.padEnd(10)} `
  const line = `${head}${wrapped(found).slice(indent.length)}\n`
  return fix === undefined ? line : `${line}${wrapped(`fix: ${fix}`)}\n`
}
