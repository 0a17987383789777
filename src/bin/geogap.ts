#!/usr/bin/env node
import { type Command } from 'commander'
import { commands, overview } from '../commands/index.ts'
import { GeogapError, inputError, unknownName } from '../errors.ts'
import { printable } from '../report/text.ts'

/** Exit codes: 0 done, 1 a fault of geogap, 2 bad input or missing data, 3 done in part, 128 + n ended by signal n (130 for Ctrl-C). */
const exitCodes = { internal: 1, input: 2, data: 2, weights: 2, network: 2, storage: 2 } as const

async function main(argv: readonly string[]): Promise<void> {
  const [name, ...rest] = argv
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(await overview())
    return
  }
  if (name === '--version' || name === '-V') {
    const { version } = await import('../version.ts')
    process.stdout.write(`${version}\n`)
    return
  }
  const known = commands.find(command => command.name === name)
  if (!known)
    throw unknownName(
      'command',
      name,
      commands.map(command => command.name),
    )
  const command = (await known.load()).command()
  prepare(command)
  await command.parseAsync(rest, { from: 'user' })
}

/** Commander's own complaints become errors like all others. */
function prepare(command: Command, path = command.name()): void {
  command.option('--debug', 'show the stack trace of an error')
  command.exitOverride(error => {
    if (error.exitCode === 0) process.exit(0)
    throw inputError('bad-usage', `${error.message.replace(/^error: /, '')}; see geogap ${path} --help`)
  })
  command.configureOutput({ outputError: () => undefined })
  for (const inner of command.commands) prepare(inner, `${path} ${inner.name()}`)
}

// Nobody reads the result any more; complaints and progress without a reader are not worth ending for.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE' || error.code === 'EIO') process.exit()
  process.stderr.write(`geogap: cannot write the result: ${error.message}\n`)
  process.exit(exitCodes.storage)
})
process.stderr.on('error', () => undefined)

main(process.argv.slice(2)).catch((error: unknown) => {
  const ours = error instanceof GeogapError
  const message = error instanceof Error ? error.message : String(error)
  process.stderr.write(`geogap: ${printable(ours ? message : `internal error: ${message}`)}\n`)
  if (process.argv.includes('--debug') && error instanceof Error) process.stderr.write(`${error.stack ?? ''}\n`)
  process.exitCode = ours ? exitCodes[error.kind] : 1
})
