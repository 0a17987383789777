// Prints the rooms of src/ with their size, floor and arrows; fails on imports that .dependency-cruiser.mjs forbids, circles and a house over its budget.
// Vite's parser reads the imports in a sixth of the time of dependency-cruiser, which has the last word on them with GEOGAP_LONG=1.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { posix } from 'node:path'
import { parseSync } from 'vite'
import config, { rooms } from '../.dependency-cruiser.mjs'

/** KB of src/ that the house may have. */
const budget = 3_410
/** Files of the longest circle inside one room. */
const longestCircle = 2

const roomOf = file => file.split('/')[1]

/** The files of this repository that a file imports, and whether for their types only. */
function importsOf(file) {
  const text = readFileSync(file, 'utf8')
  const { module, errors } = parseSync(file, text)
  if (errors.length > 0) throw new Error(`${file}: ${errors[0].message}`)
  const named = [
    ...module.staticImports.map(({ moduleRequest, entries }) => ({
      name: moduleRequest.value,
      isType: entries.length > 0 && entries.every(entry => entry.isType),
    })),
    ...module.staticExports.flatMap(({ entries }) =>
      entries.map(({ moduleRequest, isType }) => ({ name: moduleRequest?.value, isType })),
    ),
    // Types and values: the parser does not list `import('./x.ts').Type`.
    ...Array.from(text.matchAll(/\bimport\(\s*(['"`])([^'"`\n]+)\1/g), match => ({
      name: match[2],
      isType: false,
    })),
  ]
  return named
    .filter(({ name }) => name?.startsWith('.'))
    .map(({ name, isType }) => ({ to: posix.join(posix.dirname(file), name), isType }))
    .filter(({ to }) => existsSync(to))
}

/** Every import that a rule of .dependency-cruiser.mjs forbids. */
function forbidden(found) {
  const matches = (pattern, file) => new RegExp(pattern).test(file)
  return found.flatMap(({ from, to, isType }) =>
    config.forbidden
      .filter(
        rule =>
          matches(rule.from.path, from) &&
          matches(rule.to.path, to) &&
          ![rule.to.pathNot ?? []].flat().some(pattern => matches(pattern, to)) &&
          !(isType && rule.to.dependencyTypesNot?.includes('type-only')),
      )
      .map(({ name }) => `${name}: ${from} → ${to}`),
  )
}

/** What dependency-cruiser forbids, and imports that only one of the two found. */
async function cruised() {
  const { cruise } = await import('dependency-cruiser')
  const { output } = await cruise(['src'], { ...config.options, ruleSet: config, validate: true })
  const theirs = new Set(
    output.modules
      .filter(({ source }) => source.startsWith('src/'))
      .flatMap(({ source, dependencies }) =>
        dependencies.map(one => `${source} → ${one.resolved}`),
      ),
  )
  const ours = new Set(found.map(({ from, to }) => `${from} → ${to}`))
  return [
    ...output.summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`),
    ...[...theirs]
      .filter(one => !ours.has(one))
      .map(one => `found by dependency-cruiser only: ${one}`),
    ...[...ours]
      .filter(one => !theirs.has(one))
      .map(one => `not found by dependency-cruiser: ${one}`),
  ]
}

const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .map(name => `src/${name.replaceAll('\\', '/')}`)
  .filter(name => /\.(tsx?|js)$/.test(name))
const found = sources.flatMap(from => importsOf(from).map(one => ({ from, ...one })))
const imports = new Map(
  // A style sheet has a size too.
  [...sources, ...found.map(({ to }) => to)]
    .filter(file => file.startsWith('src/'))
    .map(file => [file, new Set()]),
)
for (const { from, to } of found) if (imports.has(to)) imports.get(from).add(to)

/** Strongly connected parts of a graph with more than one node (Tarjan 1972). */
function circles(graph) {
  const [index, low, stack, found] = [new Map(), new Map(), [], []]
  const visit = node => {
    index.set(node, index.size)
    low.set(node, index.get(node))
    stack.push(node)
    for (const next of graph.get(node) ?? []) {
      if (!index.has(next)) visit(next)
      if (stack.includes(next)) low.set(node, Math.min(low.get(node), low.get(next)))
    }
    if (low.get(node) !== index.get(node)) return
    const part = stack.splice(stack.indexOf(node))
    if (part.length > 1) found.push(part)
  }
  for (const node of graph.keys()) if (!index.has(node)) visit(node)
  return found
}

const names = [...new Set([...imports.keys()].map(roomOf))]
const arrows = new Map(
  names.map(name => [
    name,
    new Set(
      [...imports]
        .filter(([file]) => roomOf(file) === name)
        .flatMap(([, files]) => [...files].map(roomOf))
        .filter(room => room !== name),
    ),
  ]),
)
const floors = new Map()
const floorOf = name => {
  if (!floors.has(name)) {
    floors.set(name, 0)
    floors.set(name, Math.max(0, ...[...arrows.get(name)].map(room => floorOf(room) + 1)))
  }
  return floors.get(name)
}
const kilobytes = name =>
  [...imports.keys()]
    .filter(file => roomOf(file) === name)
    .reduce((sum, file) => sum + statSync(file).size, 0) / 1000

names.sort((a, b) => floorOf(a) - floorOf(b) || (a < b ? -1 : 1))
let total = 0
process.stdout.write('room        floor  files    KB  imports\n')
for (const name of names) {
  const [size, files] = [
    kilobytes(name),
    [...imports.keys()].filter(file => roomOf(file) === name).length,
  ]
  total += size
  const known = [...arrows.get(name)].sort((a, b) => floorOf(a) - floorOf(b))
  process.stdout.write(
    `${name.padEnd(12)}${String(floorOf(name)).padStart(5)}${String(files).padStart(7)}${size.toFixed(0).padStart(6)}  ${known.join(', ') || 'nothing'}\n`,
  )
}
const upward = [...arrows].flatMap(([name, known]) =>
  [...known].filter(room => !(rooms[name] ?? []).includes(room)).map(room => `${name} -> ${room}`),
)
const between = circles(arrows)
const inside = circles(imports).filter(files => files.length > longestCircle)
const faults = [
  ...forbidden(found),
  ...(process.env.GEOGAP_LONG === '1' ? await cruised() : []),
  ...upward.map(arrow => `an import runs upwards: ${arrow}`),
  ...between.map(part => `a circle between rooms: ${part.join(', ')}`),
  ...inside.map(files => `a circle of ${files.length} files: ${files.join(', ')}`),
  ...(total > budget ? [`src/ has ${total.toFixed(0)} KB; ${budget} are allowed`] : []),
]
process.stdout.write(
  `${names.length} rooms on ${Math.max(...floors.values()) + 1} floors, ${[...arrows.values()].reduce((sum, known) => sum + known.size, 0)} arrows, ${upward.length} upwards, ` +
    `${between.length} circles between rooms, ${inside.length} of more than ${longestCircle} files inside one; ${total.toFixed(0)} KB\n`,
)
for (const fault of faults) process.stderr.write(`${fault}\n`)
if (faults.length > 0) process.exitCode = 1
