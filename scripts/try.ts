/**
 * Runs the examples and every command of the pages with the built command line, and compares what is printed with what the
 * pages show: `npm run try [-- PAGE…] [--write]`. With `--write` the pages are given the output of now. A command that needs
 * a benchmark, a download or a device is read with the real options and listed. `pageRuns.ts` has the rules.
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
import { availableParallelism, tmpdir } from 'node:os'
import { delimiter, extname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { type Command } from 'commander'
import { commands } from '../src/cli/commands/index.ts'
import { buildProgram } from '../src/cli/commands/program.ts'
import { mapLimited } from '../src/lib/concurrency.ts'
import { colourGraph } from '../test/models/onnx/foreignGraph.ts'
import { callsIn, commandsOf, pages, parseOnly, unknownOptions } from './commandLines.ts'
import { runPage } from './pageRuns.ts'

const { values, positionals: words } = parseArgs({
  options: { write: { type: 'boolean' } },
  allowPositionals: true,
})
const isRewriting = values.write ?? false

const root = process.cwd()
const folder = mkdtempSync(join(tmpdir(), 'geogap-try-'))
const bin = join(folder, 'bin')
const python = process.env.GEOGAP_PYTHON ?? 'python3'
const loader = pathToFileURL(resolve('node_modules/tsx/dist/loader.mjs')).href
const env = {
  ...process.env,
  PATH: `${bin}${delimiter}${resolve('node_modules/.bin')}${delimiter}${process.env.PATH}`,
  HF_HUB_OFFLINE: '1',
  XDG_CACHE_HOME: join(folder, 'cache'),
}

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
  mkdirSync(bin)
  symlinkSync(join(root, 'dist/cli/bin/geogap.js'), join(bin, 'geogap'))
  // `npx PROGRAM` without a registry: the programs are those beside this one and those of this repository.
  writeFileSync(join(bin, 'npx'), '#!/bin/sh\nexec "$@"\n', { mode: 0o755 })
  const { status, text } = run('geogap', ['demo', '--out', 'demo', '--quiet'])
  if (status !== 0) throw new Error(`the demo failed: ${text}`)
  writeFileSync(join(folder, 'tiny.onnx'), colourGraph({ classes: 8 }))
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

/**
 * Runs every page in a folder of its own that holds `demo`, what `geogap demo` makes, and `tiny.onnx`, a small model; as many
 * pages at a time as there are cores.
 */
async function documented(names: readonly string[]): Promise<void> {
  const tree = await buildProgram(commands)
  const count = { ran: 0, checked: 0, forms: 0, equal: 0, close: 0, unknown: 0 }
  for (const page of names) count.forms += await checkCommands(tree, page)
  const runs = await mapLimited(names, availableParallelism(), async page => {
    const place = mkdtempSync(join(folder, 'page-'))
    for (const name of ['demo', 'tiny.onnx'])
      cpSync(join(folder, name), join(place, name), { recursive: true })
    const run = await runPage(page, place, env)
    rmSync(place, { recursive: true })
    return { page, run }
  })
  for (const { page, run } of runs) {
    for (const { command, outcome, text } of run.lines) {
      if (outcome === 'failed') fail(`${page}: ${command} ended with ${text.slice(-400)}`)
      else count[outcome] += 1
      if (outcome === 'checked')
        say(`checked ${page}: ${command} (${text.split('\n').at(-1)!.slice(0, 100)})`)
    }
    for (const { line, outcome, first } of run.outputs) {
      if (outcome !== 'differs') count[outcome] += 1
      else if (!isRewriting)
        fail(`${page}:${line}: the page has\n  ${first![0]}\nwhere this is printed\n  ${first![1]}`)
      if (outcome === 'unknown') say(`not compared ${page}:${line}`)
    }
    if (isRewriting) writeFileSync(page, run.rewritten)
  }
  say(
    `${count.ran} commands of the pages ran, ${count.checked} were checked, ${count.forms} forms have the options they name; ` +
      `${count.equal} outputs are as printed, ${count.close} but for digits of computed numbers, ${count.unknown} need what is not here`,
  )
}

/** Parses every command of a page with the real options, and returns how many forms of commands it has. */
async function checkCommands(tree: Command, page: string): Promise<number> {
  let forms = 0
  for (const { text, synopsis } of commandsOf(page)) {
    if (synopsis) {
      forms += 1
      const unknown = unknownOptions(tree, text)
      if (unknown.length > 0) fail(`${page}: ${text}: there is no ${unknown.join(', ')}`)
    } else
      for (const words of callsIn(text))
        await parseOnly(tree, words).catch((error: unknown) =>
          fail(`${page}: ${text}: ${String(error)}`),
        )
  }
  return forms
}

const chosen = pages().filter(page => words.length === 0 || words.some(word => page.includes(word)))

try {
  prepare()
  await documented(chosen)
  if (words.length === 0) examples()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
process.exitCode = failed === 0 ? 0 : 1
