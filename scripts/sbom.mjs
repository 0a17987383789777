// The packages that users get, as a CycloneDX bill of materials on standard output: node scripts/sbom.mjs
// `npm sbom --omit dev` also leaves out what both users and developers need, so all are listed and then sorted out here.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'))
const shipped = new Set(
  Object.entries(packages)
    .filter(([path, { dev }]) => path !== '' && !dev)
    .map(
      ([path, { version }]) => `${path.slice(path.lastIndexOf('node_modules/') + 13)}@${version}`,
    ),
)
const args = [
  'sbom',
  '--sbom-format',
  'cyclonedx',
  '--sbom-type',
  'application',
  '--package-lock-only',
]
const stdio = ['ignore', 'pipe', 'inherit']
const all = JSON.parse(execFileSync('npm', args, { encoding: 'utf8', maxBuffer: 1 << 26, stdio }))
const components = all.components.filter(({ name, version }) => shipped.has(`${name}@${version}`))
const root = all.metadata.component
const kept = new Set([root['bom-ref'], ...components.map(one => one['bom-ref'])])
const dependencies = all.dependencies
  .filter(({ ref }) => kept.has(ref))
  .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter(on => kept.has(on)) }))
const metadata = { ...all.metadata, component: { ...root, name: packages[''].name } }
process.stdout.write(`${JSON.stringify({ ...all, metadata, components, dependencies }, null, 2)}\n`)
