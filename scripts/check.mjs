// The inner loop, in under a minute: types, rooms and sizes of everything; lint, format, sentences and the nearest tests of what changed since main.
import { spawn } from 'node:child_process'
import { createVitest } from 'vitest/node'
import { affectedTests, changedFiles } from './changes.mjs'

/** When tests stop, in milliseconds after the start. What is left then is counted and left to `npm test`. */
const deadlineMs = 50_000
/** Test files that start together. */
const batchSize = 6

const changed = changedFiles(process.argv[2])
const code = changed.filter(file => /\.(ts|tsx|mjs|js)$/.test(file))
const typed = code.filter(file => /\.tsx?$/.test(file))
const failed = []

/** Runs a tool of node_modules/ and prints its output only if it fails. */
function runTool(name, tool, ...args) {
  return new Promise(resolve => {
    const child = spawn(process.execPath, [tool, ...args])
    const output = []
    for (const stream of [child.stdout, child.stderr]) stream.on('data', text => output.push(text))
    child.on('close', status => {
      const seconds = (performance.now() / 1000).toFixed(0)
      process.stdout.write(`${status === 0 ? 'ok    ' : 'failed'} ${name} (${seconds} s)\n`)
      if (status !== 0) {
        process.stdout.write(Buffer.concat(output))
        failed.push(name)
      }
      resolve()
    })
  })
}

const incremental = name => ['--incremental', '--tsBuildInfoFile', `.build/check/${name}.json`]

async function checkTypesAndLint() {
  const tsc = 'node_modules/typescript-native/bin/tsc'
  if (typed.length > 0) await runTool('types', tsc, '--noEmit', ...incremental('types'))
  if (typed.some(file => /^src\/(dashboard|report|analysis|metrics|lib\/table)\//.test(file))) {
    const client = ['-p', 'src/dashboard/client', ...incremental('client')]
    await runTool('types of the client', tsc, '--noEmit', ...client)
  }
  if (code.length === 0) return
  await runTool(
    'lint',
    'node_modules/oxlint/bin/oxlint',
    '--no-error-on-unmatched-pattern',
    ...code,
  )
}

async function checkShape() {
  await runTool('rooms', 'scripts/rooms.mjs')
  await runTool('sizes', 'scripts/sizes.mjs')
  const prettier = ['node_modules/prettier/bin/prettier.cjs', '--check', '--log-level', 'warn']
  const pages = changed.filter(file => /^(README|CONTRIBUTING|docs\/.*)\.md$/.test(file))
  const tsx = 'node_modules/tsx/dist/cli.mjs'
  if (pages.length > 0) await runTool('sentences', tsx, 'scripts/prose.ts', ...pages)
  if (changed.length > 0) await runTool('format', ...prettier, '--ignore-unknown', ...changed)
}

/** Runs tests in the order given until the deadline. Returns how many files ran to their end. */
async function runTests(files) {
  if (files.length === 0) return 0
  const options = { watch: false, maxWorkers: 2, reporters: ['dot'], passWithNoTests: true }
  const vitest = await createVitest('test', options)
  await vitest.standalone()
  const timer = setTimeout(
    () => void vitest.cancelCurrentRun('keyboard-input'),
    deadlineMs - performance.now(),
  )
  let finished = 0
  for (let next = 0; next < files.length && performance.now() < deadlineMs; next += batchSize) {
    const specifications = []
    for (const file of files.slice(next, next + batchSize))
      specifications.push(...(await vitest.globTestSpecifications([file])))
    const { testModules } = await vitest.runTestSpecifications(specifications)
    // A test that the deadline cut off counts as failed to vitest: it is left to `npm test`.
    const isWhole = performance.now() < deadlineMs
    const passed = testModules.filter(module => module.state() === 'passed').length
    if (isWhole && testModules.some(module => module.state() === 'failed')) failed.push('tests')
    finished += isWhole ? specifications.length : passed
  }
  clearTimeout(timer)
  await vitest.close()
  return finished
}

const tests = affectedTests(changed)
const [finished] = await Promise.all([runTests(tests), checkShape().then(checkTypesAndLint)])
const left = tests.length - finished
process.stdout.write(
  `${changed.length} changed files, ${finished} of ${tests.length} test files that reach them${left > 0 ? '; npm test runs the others' : ''}\n`,
)
process.stdout.write(failed.length > 0 ? `failed: ${[...new Set(failed)].join(', ')}\n` : 'ok\n')
process.exit(failed.length > 0 ? 1 : 0)
