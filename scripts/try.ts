/**
 * Runs the examples and every command of the pages with the built command line, in a folder that holds what `geogap demo`
 * draws: `npm run try`. A command that needs a benchmark, a download, a device or a file that only its reader has is checked
 * against the real commands and options, and listed as such.
 */
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, extname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { commands } from '../src/cli/commands/index.ts'
import { buildProgram } from '../src/cli/commands/program.ts'
import { colourGraph } from '../test/models/onnx/foreignGraph.ts'
import { callsIn, commandsOf, pages, parseOnly, unknownOptions } from './commandLines.ts'

const root = process.cwd()
const folder = mkdtempSync(join(tmpdir(), 'geogap-try-'))
const python = process.env.GEOGAP_PYTHON ?? 'python3'
const loader = pathToFileURL(resolve('node_modules/tsx/dist/loader.mjs')).href
const env = {
  ...process.env,
  PATH: `${join(folder, 'bin')}${delimiter}${process.env.PATH}`,
  HF_HUB_OFFLINE: '1',
  XDG_CACHE_HOME: join(folder, 'cache'),
}

/** What may stop a command of a page: it asks for what is not on this machine. Anything else is a fault of the page. */
const absent =
  /no such|missing|not found|not in the cache|offline|unknown (model|dataset|data set|tag)|cannot (read|open)|does not exist|no device|no results|needs|holds no|not there|ECONNREFUSED|: expected |no kept outputs|unreadable manifest|has an accuracy on|without a label column|choose with/i

/** Would wait for somebody, or load the network. */
const unsuitable = /^(serve|fetch|pull|work|queue)$/

let failed = 0
const say = (text: string): void => void process.stdout.write(`${text}\n`)
const fail = (text: string): void => {
  failed += 1
  say(`FAILED  ${text}`)
}

interface Ran {
  status: number | null
  text: string
}

function run(command: string, args: readonly string[], seconds = 300): Ran {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: folder,
    env,
    encoding: 'utf8',
    timeout: seconds * 1000,
    maxBuffer: 1e8,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  return { status, text: `${stdout}${stderr}`.trim() }
}

function prepare(): void {
  mkdirSync(join(folder, 'bin'))
  symlinkSync(join(root, 'dist/cli/bin/geogap.js'), join(folder, 'bin/geogap'))
  const { status, text } = run('geogap', ['demo', '--out', 'demo', '--quiet'])
  if (status !== 0) throw new Error(`the demo failed: ${text}`)
  writeFileSync(join(folder, 'tiny.onnx'), colourGraph({ classes: 8 }))
  for (const name of ['results', 'main-results', 'before', 'after', 'DIR', 'RUN'])
    cpSync(join(folder, 'demo/results'), join(folder, name), { recursive: true })
}

function examples(): void {
  const runners: Record<string, [string, string[]]> = {
    '.ts': [process.execPath, ['--import', loader]],
    '.sh': ['sh', ['-e']],
    '.py': [python, []],
  }
  const pandas = run(python, ['-c', 'import pandas, pyarrow']).status === 0
  for (const name of readdirSync('examples').sort()) {
    const runner = runners[extname(name)]
    if (!runner) continue
    if (extname(name) === '.py' && !pandas) {
      say(`skipped examples/${name}: ${python} with pandas and pyarrow is not here`)
      continue
    }
    const [command, args] = runner
    const { status, text } = run(command, [...args, join(root, 'examples', name)])
    if (status !== 0 || text === '') fail(`examples/${name} ended with ${status}: ${text}`)
    else say(`ran examples/${name}`)
  }
}

async function documented(): Promise<void> {
  const tree = await buildProgram(commands)
  const count = { ran: 0, checked: 0, forms: 0 }
  for (const { page, text, synopsis } of pages().flatMap(commandsOf)) {
    if (synopsis) {
      count.forms += 1
      const unknown = unknownOptions(tree, text)
      if (unknown.length > 0) fail(`${page}: ${text}: there is no ${unknown.join(', ')}`)
      continue
    }
    for (const words of callsIn(text)) {
      await parseOnly(tree, words).catch((error: unknown) =>
        fail(`${page}: ${text}: ${String(error)}`),
      )
      const { status, text: output } = unsuitable.test(words[0]!)
        ? { status: 2, text: 'needs' }
        : run('geogap', words, 120)
      if (status === 0 || status === 4) count.ran += 1
      else if (absent.test(output)) {
        count.checked += 1
        say(
          `checked ${page}: geogap ${words.join(' ')} (${output.split('\n').at(-1)!.slice(0, 100)})`,
        )
      } else fail(`${page}: geogap ${words.join(' ')} ended with ${status}: ${output.slice(-300)}`)
    }
  }
  say(
    `${count.ran} commands of the pages ran, ${count.checked} were checked, ${count.forms} forms have the options they name`,
  )
}

try {
  prepare()
  examples()
  await documented()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
process.exitCode = failed === 0 ? 0 : 1
