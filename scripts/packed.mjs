// Installs the packed tarball into empty projects, as the README says: with npm 10 and 11, on Node 20, 22 and 24, as ESM. The demo and
// the four lines run, and the types resolve with moduleResolution node16 and bundler.
import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'

const root = process.cwd()
const folder = mkdtempSync(join(tmpdir(), 'geogap-packed-'))
const run = (command, args, options = {}) =>
  execFileSync(command, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    ...options,
  })
const say = text => process.stdout.write(`${text}\n`)

try {
  run('npm', ['run', '--silent', 'build'])
  const [packed] = JSON.parse(
    run('npm', ['pack', '--silent', '--json', '--pack-destination', folder]),
  )
  const tarball = join(folder, packed.filename)
  const size = statSync(tarball).size
  if (size > 3e6) throw new Error(`the package has ${size} bytes, 3,000,000 are allowed`)
  const strange = packed.files.filter(
    ({ path }) =>
      !/^(dist\/|experiments\/|LICENSE|NOTICE|THIRD-PARTY\.md|README\.md|CHANGELOG\.md|package\.json)/.test(
        path,
      ),
  )
  if (strange.length > 0)
    throw new Error(`files that no user needs: ${strange.map(({ path }) => path).join(', ')}`)
  const demo = join(folder, 'demo')
  for (const npm of ['10', '11']) {
    const project = mkdtempSync(join(folder, `npm${npm}-`))
    writeFileSync(join(project, 'package.json'), '{ "type": "module", "private": true }')
    const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' }
    run('npx', ['--yes', `npm@${npm}`, 'install', '--no-audit', '--no-fund', tarball], {
      cwd: project,
      env,
    })
    if (!existsSync(demo))
      run('npx', ['--no-install', 'geogap', 'demo', '--out', demo], {
        cwd: project,
        stdio: 'ignore',
      })
    cpSync(demo, join(project, 'demo'), { recursive: true })
    const nodes = npm === '10' ? [process.execPath] : ['20', '22', '24'].map(binary)
    for (const node of nodes) fourLines(project, node)
    if (npm === '11') types(project)
    say(`packed with ${size} bytes, installed with npm ${npm}: the four lines run on the demo`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
  process.chdir(root)
}

/** The Node of a major version, from the npm package that brings it for this platform. */
function binary(major) {
  const name = `node-${process.platform}-${process.arch}`
  run('npm', [
    'install',
    '--silent',
    '--no-audit',
    '--no-fund',
    '--prefix',
    join(folder, `node${major}`),
    `${name}@${major}`,
  ])
  return join(folder, `node${major}`, 'node_modules', name, 'bin', 'node')
}

/** The README's four lines on the demo's data, in a process of the given Node. */
function fourLines(project, node) {
  const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}` }
  writeFileSync(
    join(project, 'four.js'),
    `import { evaluate, writeReport } from 'geogap'
import { wilson } from 'geogap/metrics'
const datasets = [{ name: 'demo/world/households.csv', classes: 'demo/world/classes.txt' }]
const run = await evaluate({ models: ['demo/models/lcnet_050.fitted_400.json'], datasets, out: process.version })
console.table(run.accuracy({ by: 'region' }))
await writeReport(run, 'report.html')
console.log(process.version, wilson(1, 2))
`,
  )
  const out = run(node, ['four.js'], { cwd: project, env })
  const page = readFileSync(join(project, 'report.html'), 'utf8')
  if (!out.includes('Africa') || !page.includes('<html'))
    throw new Error(`the four lines gave no regions: ${out}`)
  say(`the four lines run on ${/v\d+\.\d+\.\d+/.exec(out)[0]}`)
}

function types(project) {
  writeFileSync(
    join(project, 'typed.ts'),
    `import { type ConfigFile, evaluate, type Run } from 'geogap'
import { wilson } from 'geogap/metrics'
export const ends: readonly [number, number] | null = wilson(1, 2)
export const config: ConfigFile = { table: { by: ['region'] } }
export const made: Promise<Run> = evaluate({ models: [], datasets: [] })
// @ts-expect-error models are names or descriptions
export const wrong = evaluate({ models: [1], datasets: [] })
`,
  )
  for (const [module, moduleResolution] of [
    ['node16', 'node16'],
    ['esnext', 'bundler'],
  ]) {
    const compiler = join(root, 'node_modules/typescript/bin/tsc')
    const flags = [
      '--noEmit',
      '--strict',
      '--skipLibCheck',
      '--target',
      'es2022',
      '--module',
      module,
    ]
    run(
      process.execPath,
      [compiler, ...flags, '--moduleResolution', moduleResolution, 'typed.ts'],
      {
        cwd: project,
        stdio: 'inherit',
      },
    )
    say(`types resolve with moduleResolution ${moduleResolution}`)
  }
}
