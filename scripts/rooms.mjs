// Prints the rooms of src/ with their size, floor and arrows; fails on imports that .dependency-cruiser.mjs forbids, circles and a house over its budget.
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { cruise } from 'dependency-cruiser'
import config, { rooms } from '../.dependency-cruiser.mjs'

/** KB of src/ that the house may have. */
const budget = 3_400
/** Files of the longest circle inside one room. */
const longestCircle = 2

const roomOf = file => file.split('/')[1]
const { output } = await cruise(['src'], { ...config.options, ruleSet: config, validate: true })
const imports = new Map(
  output.modules
    .filter(({ source }) => source.startsWith('src/'))
    .map(({ source, dependencies }) => [
      source,
      dependencies.map(({ resolved }) => resolved).filter(file => file.startsWith('src/')),
    ]),
)

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
        .flatMap(([, files]) => files.map(roomOf))
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
    .reduce((sum, file) => sum + statSync(join(file)).size, 0) / 1000

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
  ...output.summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`),
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
