// Installs the packed tarball into an empty project with npm 10 and npm 11, as the README says, and runs the four lines.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = process.cwd()
const folder = mkdtempSync(join(tmpdir(), 'geogap-packed-'))
const run = (command, args, options = {}) =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], ...options })

try {
  run('npm', ['run', '--silent', 'build'])
  const [packed] = JSON.parse(run('npm', ['pack', '--silent', '--json', '--pack-destination', folder]))
  const tarball = join(folder, packed.filename)
  const size = statSync(tarball).size
  if (size > 3e6) throw new Error(`the package has ${size} bytes, 3,000,000 are allowed`)
  for (const version of ['10', '11']) {
    const project = mkdtempSync(join(folder, `npm${version}-`))
    writeFileSync(join(project, 'package.json'), '{ "type": "module", "private": true }')
    const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' }
    run('npx', ['--yes', `npm@${version}`, 'install', '--no-audit', '--no-fund', tarball], { cwd: project, env })
    run('npx', ['--no-install', 'geogap', 'demo', '--out', 'demo'], { cwd: project, stdio: 'ignore' })
    writeFileSync(join(project, 'four.js'), fourLines())
    const out = run('node', ['four.js'], { cwd: project })
    if (!out.includes('Africa') || !readFileSync(join(project, 'report.html'), 'utf8').includes('<html')) {
      throw new Error(`the four lines did not give regions and a report with npm ${version}: ${out}`)
    }
    process.stdout.write(`packed with ${size} bytes, installed with npm ${version}: the demo and the four lines run\n`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
  process.chdir(root)
}

/** The README's four lines on the demo's data: a described model of eight classes and its households. */
function fourLines() {
  return `import { evaluate } from 'geogap'
const recipe = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], interpolation: 'bicubic', cropPct: 224 / 232, size: 224 }
const classes = ['house', 'stove', 'chair', 'cup', 'bed', 'lamp', 'broom', 'door']
const weights = { from: 'files', files: ['demo/models/lcnet_050.fitted_400.safetensors'] }
const model = { name: 'mine', architecture: 'lcnet_050', classes, recipe, weights }
const run = await evaluate({ models: [model], datasets: [{ name: 'demo/world/households.csv', classes: 'demo/world/classes.txt' }] })
console.table(run.accuracy({ by: 'region' }))
await run.report('report.html')
`
}
