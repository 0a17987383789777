/** Runs the commands of a page in their order, and compares what they print with the blocks that the page shows. */
import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { benchmarks } from '../src/datasets/benchmarks/index.ts'
import { modelNames } from '../src/models/catalog.ts'
import { testbed } from '../src/models/testbed.ts'
import { callsIn, type CodeBlock, codeBlocks } from './commandLines.ts'

/** One line of an `sh` block: what became of it. */
interface LineRun {
  command: string
  /** `checked`: it needs what this machine lacks, so only its options were read. */
  outcome: 'ran' | 'checked' | 'failed'
  text: string
}

/** A block of output: `close` if only digits of computed numbers differ. */
interface OutputRun {
  line: number
  outcome: 'equal' | 'close' | 'differs' | 'unknown'
  /** The first line that differs, as the page has it and as it was printed. */
  first: readonly [string, string] | null
}

interface PageRun {
  lines: LineRun[]
  outputs: OutputRun[]
  /** The page with every block of output as it was printed now. */
  rewritten: string
}

/** Commands that wait for somebody or load the network, and programs that the pages name and this script never starts. */
const neverRun = /^(serve|fetch|pull|work|queue|completion)$/
const runnable = /^(awk|geogap|npx|node|cat|cp|head|ls|mkdir|rm|sh|tail|tar|wc)$/

/** What a command needs that is not on this machine: benchmarks, published weights, addresses, shared folders. */
const elsewhere = new Set([
  ...benchmarks.map(({ name }) => name),
  ...testbed().map(({ name }) => name),
  ...modelNames().flatMap(name => [name, name.split('.')[0]!]),
  ...['testbed', 'paper', 'standard', 'geographic', 'cuda', 'coreml'],
])
const isElsewhere = (words: readonly string[]): boolean =>
  words
    .flatMap(word => word.split(/[,:=@]/))
    .some(word => elsewhere.has(word) || /^(hf|redis|s3|https?|clip|family)$|^\/[a-z]/.test(word))

/** Errors of a command that lacks what `isElsewhere` found in it. */
const absent =
  /no such|missing|not found|not in the cache|offline|cannot (read|open|reach)|does not exist|no device|needs|holds no|not there|there is no|ECONNREFUSED|choose with|to get it|download/i

/**
 * Runs a page in `folder`. A `csv`, `json`, `txt`, `ts` or other block with a file name in brackets after its language is
 * written there first; the `text` block right after an `sh` block is what that block prints.
 */
export async function runPage(
  page: string,
  folder: string,
  env: NodeJS.ProcessEnv,
): Promise<PageRun> {
  const source = readFileSync(page, 'utf8').split('\n')
  const blocks = codeBlocks(page)
  const found: PageRun = { lines: [], outputs: [], rewritten: '' }
  const replaced: { block: CodeBlock; lines: readonly string[] }[] = []
  for (const [i, block] of blocks.entries()) {
    if (block.file) {
      mkdirSync(dirname(join(folder, block.file)), { recursive: true })
      writeFileSync(join(folder, block.file), `${block.lines.join('\n')}\n`)
    }
    if (block.language !== 'sh') continue
    const runs: LineRun[] = []
    for (const line of shellLines(block)) {
      const lacks = [...found.lines, ...runs].some(({ outcome }) => outcome === 'checked')
      runs.push(await runLine(line, { folder, env, lacks }))
    }
    found.lines.push(...runs)
    const shown = blocks[i + 1]
    if (!shown || !isOutputOf(block, shown, source)) continue
    const printed = visibleLines(runs.flatMap(({ text }) => text || []).join('\n'), folder)
    const isKnown = runs.every(({ outcome }) => outcome !== 'checked')
    const isTimed = block.lines.some(line => line.includes(' --until '))
    const tolerance = isTimed ? Infinity : closeNumbers
    found.outputs.push(isKnown ? compareOutput(shown, printed, tolerance) : unknownOutput(shown))
    if (isKnown) replaced.push({ block: shown, lines: renewed(shown.lines, printed) })
  }
  for (const { block, lines } of replaced.reverse())
    source.splice(block.line - 1, block.lines.length, ...lines)
  found.rewritten = source.join('\n')
  return found
}

const unknownOutput = ({ line }: CodeBlock): OutputRun => ({
  line,
  outcome: 'unknown',
  first: null,
})

/** The commands of a block; a loop is one of them. */
const shellLines = ({ lines }: CodeBlock): string[] =>
  lines
    .join('\n')
    .replaceAll(/\\\n */g, ' ')
    .split(/\n(?! |done)/)
    .filter(line => line.trim() !== '' && !line.startsWith('#'))

/** Whether only blank lines lie between a block of commands and the `text` block after it. */
function isOutputOf(block: CodeBlock, next: CodeBlock, source: readonly string[]): boolean {
  const between = source.slice(block.line + block.lines.length, next.line - 2)
  return next.language === 'text' && between.every(line => line.trim() === '')
}

interface LineContext {
  folder: string
  env: NodeJS.ProcessEnv
  /** Whether an earlier line of the page could not be run, so that what it makes is not there. */
  lacks: boolean
}

const execute = promisify(execFile)

/** Runs a line in a shell, with both outputs as one text; the status is null if it ran out of time. */
async function runShell(
  line: string,
  { folder, env }: Pick<LineContext, 'folder' | 'env'>,
): Promise<{ status: number | null; text: string }> {
  const options = { cwd: folder, env, timeout: 300_000, maxBuffer: 1e8 }
  try {
    const { stdout } = await execute('sh', ['-c', `exec 2>&1 </dev/null\n${line}`], options)
    return { status: 0, text: stdout.trimEnd() }
  } catch (error) {
    const { code, stdout } = error as { code: number | null; stdout: string }
    return { status: code, text: stdout.trimEnd() }
  }
}

async function runLine(line: string, { folder, env, lacks }: LineContext): Promise<LineRun> {
  const calls = callsIn(line)
  const program = /^(?:[A-Z_]+=\S+ +)*(\S+)/.exec(line)![1]!
  const isOther = /\bnpx (?!geogap |tsx )/.test(line)
  if (!runnable.test(program) || isOther || calls.some(([name]) => neverRun.test(name!)))
    return { command: line, outcome: 'checked', text: 'not run here' }
  const { status, text } = await runShell(line, { folder, env })
  if (status === 0 || (status === 4 && calls.some(([name]) => name === 'gate')))
    return { command: line, outcome: 'ran', text }
  const isAbsent = (lacks || calls.some(isElsewhere)) && absent.test(text)
  return { command: line, outcome: isAbsent ? 'checked' : 'failed', text: `${status}: ${text}` }
}

/** What a reader sees when the command has ended: without lines of progress, in a folder of their own. */
const visibleLines = (text: string, folder: string): string[] =>
  text
    .replaceAll(folder, '/home/you')
    .split('\n')
    .map(line => line.trimEnd())
    .filter(line => !/[█░]{24} {2}\d+\/\d+|^\d+\/\d+ units/.test(line))

/** `…` alone on a line of a page stands for any lines. */
const isGap = (line: string): boolean => line.trim() === '…'

/** The printed lines, cut where the page cuts: as many before and after its `…` as it has. */
function abridged(shown: readonly string[], printed: readonly string[]): readonly string[] {
  const gap = shown.findIndex(isGap)
  if (gap < 0) return printed
  const after = shown.length - gap - 1
  return [...printed.slice(0, gap), '…', ...printed.slice(after === 0 ? printed.length : -after)]
}

/** The printed lines, but those of the page that differ from them in what is masked alone. */
const renewed = (shown: readonly string[], printed: readonly string[]): readonly string[] =>
  abridged(shown, printed).map((line, i) =>
    masked(shown[i] ?? '') === masked(line) ? shown[i]! : line,
  )

/** How far computed numbers may be apart; an evaluation that stops early ends with the shard that is done first, which is a matter of time. */
const closeNumbers = 3

function compareOutput(block: CodeBlock, printed: readonly string[], tolerance: number): OutputRun {
  const expected = block.lines
  const actual = abridged(expected, printed)
  const length = Math.max(expected.length, actual.length)
  let outcome: OutputRun['outcome'] = 'equal'
  for (let i = 0; i < length; i++) {
    const [want, have] = [masked(expected[i] ?? ''), masked(actual[i] ?? '')]
    if (want === have) continue
    if (!isClose(want, have, tolerance))
      return { line: block.line, outcome: 'differs', first: [expected[i] ?? '', actual[i] ?? ''] }
    outcome = 'close'
  }
  return { line: block.line, outcome, first: null }
}

/**
 * A line without what changes from run to run: durations, rates, sizes of files and memory, dates, hashes, processes,
 * threads, the name of the machine, and the width of columns.
 */
const masked = (line: string): string =>
  line
    .replaceAll(/\b\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?)?/g, '<date>')
    .replaceAll(/\b[\d.,]+ ?(ms|s|min|h|images\/s|[KMGT]i?B|bytes)(?![\w/])/g, '<$1>')
    .replaceAll(/\b(\d+ process(es)? × )?\d+ threads?\b/g, '<threads>')
    .replaceAll(/\bprocess \d+ on \S+/g, 'process <id> on <host>')
    .replaceAll(/\((measured|estimated)[^)]*\)/g, '(<estimate>)')
    .replaceAll(/\b(?=[0-9a-f]*\d)[0-9a-f]{7,64}\b/g, '<hash>')
    .replaceAll(/─+/g, '─')
    .replaceAll(/ {2,}/g, ' ')
    .trim()

const numbers = /-?\d+(?:[.,]\d+)*/g

/**
 * Whether two lines differ in computed numbers only, and in those by little: another processor rounds otherwise, and a
 * model of the demo then decides a few images otherwise.
 */
function isClose(a: string, b: string, tolerance: number): boolean {
  const [left, right] = [a.match(numbers) ?? [], b.match(numbers) ?? []].map(found =>
    found.map(text => Number(text.replaceAll(',', ''))),
  )
  const isSameText = a.replaceAll(numbers, '#') === b.replaceAll(numbers, '#')
  return isSameText && left!.every((value, i) => Math.abs(value - right![i]!) <= tolerance)
}
