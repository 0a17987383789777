import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

interface Locked {
  version: string
  integrity?: string
  resolved?: string
  dev?: boolean
  hasInstallScript?: boolean
}

const read = (file: string): unknown =>
  JSON.parse(readFileSync(new URL(`../${file}`, import.meta.url), 'utf8'))
const { packages } = read('package-lock.json') as { packages: Record<string, Locked> }
const locked = Object.entries(packages).filter(([path]) => path !== '')
const nameOf = (path: string): string =>
  path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
const shipped = locked.filter(([, { dev }]) => !dev)

it('every dependency is one exact version', () => {
  const { dependencies, devDependencies, overrides } = read('package.json') as Record<
    string,
    Record<string, string>
  >
  for (const [name, version] of Object.entries({
    ...dependencies,
    ...devDependencies,
    ...overrides,
  }))
    expect([name, version]).toEqual([
      name,
      expect.stringMatching(/^(npm:[\w-]+@)?\d+\.\d+\.\d+(-[\w.]+)?$/),
    ])
})

it('every locked package has its hash, and none comes from elsewhere than the registry', () => {
  expect(locked.length).toBeGreaterThan(100)
  for (const [path, { integrity, resolved = 'https://registry.npmjs.org/' }] of locked)
    expect([path, integrity, resolved]).toEqual([
      path,
      expect.stringMatching(/^sha512-/),
      expect.stringMatching(/^https:\/\/registry\.npmjs\.org\//),
    ])
})

it('no package that users get needs an install script', () => {
  // One fetches GPU libraries and can be left out, the other has a fallback without native code.
  const known = ['msgpackr-extract', 'onnxruntime-node']
  const scripted = shipped
    .filter(([, { hasInstallScript }]) => hasInstallScript)
    .map(([path]) => nameOf(path))
  expect(scripted.filter(name => !known.includes(name))).toEqual([])
})

it('the bill of materials names every package that users get, with its hash', () => {
  const text = execFileSync('npm', ['run', '--silent', 'sbom'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const bill = JSON.parse(text) as {
    bomFormat: string
    components: {
      name: string
      version: string
      purl: string
      hashes: { alg: string; content: string }[]
    }[]
  }
  expect(bill.bomFormat).toBe('CycloneDX')
  const listed = new Map(bill.components.map(one => [`${one.name}@${one.version}`, one]))
  expect([...listed.keys()].sort()).toEqual(
    [...new Set(shipped.map(([path, { version }]) => `${nameOf(path)}@${version}`))].sort(),
  )
  for (const [path, { version, integrity }] of shipped) {
    const { purl, hashes } = listed.get(`${nameOf(path)}@${version}`)!
    expect(purl).toMatch(/^pkg:npm\//)
    expect(hashes).toContainEqual({
      alg: 'SHA-512',
      content: Buffer.from(integrity!.slice(7), 'base64').toString('hex'),
    })
  }
})
