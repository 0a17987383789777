import { commands, helpText } from '../commands/index.ts'
import { GeogapError, inputError, messageOf } from '../../lib/errors.ts'
import { stripControlCharacters } from '../../lib/table/text.ts'

/** Exit codes: 0 done, 1 a fault of geogap, 2 bad input or missing data, 3 done in part, 4 a gate that failed, 5 results that differ from their re-run, 128 + n ended by signal n (130 for Ctrl-C). */
export const exitCodes = {
  internal: 1,
  input: 2,
  data: 2,
  weights: 2,
  network: 2,
  storage: 2,
} as const

async function dispatch(argv: readonly string[]): Promise<void> {
  const words = argv[0] === 'help' && argv.length > 1 ? [...argv.slice(1), '--help'] : argv
  const [name] = words
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(await helpText())
    return
  }
  if (name === '--version' || name === '-V' || name === '-v') {
    const { version } = await import('../../lib/version.ts')
    process.stdout.write(`${version}\n`)
    return
  }
  if (name.startsWith('-'))
    throw inputError(
      'bad-usage',
      `unknown option '${name}'; a command comes first, see geogap --help`,
    )
  const { setTextWidth } = await import('../../lib/table/fitToTerminal.ts')
  setTextWidth(process.stdout.isTTY ? process.stdout.columns || 80 : null)
  const { buildProgram } = await import('../commands/program.ts')
  const { withConfig } = await import('../commands/config.ts')
  const root = await buildProgram(commands, name)
  await root.parseAsync(await withConfig(root, words), { from: 'user' })
}

/** Runs a command line. Prints an error as one line and sets the exit code. */
export async function run(argv: readonly string[]): Promise<void> {
  await dispatch(argv).catch((error: unknown) => {
    const ours = error instanceof GeogapError || isSystemError(error)
    const message = messageOf(error)
    process.stderr.write(
      `geogap: ${stripControlCharacters(ours ? message : `internal error: ${message}`)}${codeText(error)}\n`,
    )
    if (argv.includes('--debug') && error instanceof Error)
      process.stderr.write(`${error.stack ?? ''}\n`)
    process.exitCode =
      error instanceof GeogapError ? exitCodes[error.kind] : ours ? exitCodes.storage : 1
  })
}

/** Returns the code in brackets, by which docs/troubleshooting.md lists the error. */
const codeText = (error: unknown): string =>
  error instanceof GeogapError && error.kind !== 'internal' ? ` [${error.code}]` : ''

/** Returns whether the error is the operating system's, such as `EIO: i/o error, open 'FILE'`. */
function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && 'code' in error
}
