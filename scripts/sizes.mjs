// Prints how long files and functions of src/ are, median and longest; fails where that is more than the house allows.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseSync } from 'vite'

const isFunction = /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/
const limits = { files: { median: 120, longest: 400 }, functions: { median: 10, longest: 60 } }

const found = { files: [], functions: [] }
for (const name of readdirSync('src', { recursive: true }).filter(name => /\.tsx?$/.test(name))) {
  const text = readFileSync(join('src', name), 'utf8')
  found.files.push({ lines: text.split('\n').length - 1, name })
  visit(parseSync(name, text).program, undefined, { name, text })
}

for (const [what, list] of Object.entries(found)) {
  list.sort((a, b) => a.lines - b.lines)
  const median = list[list.length >> 1].lines
  const longest = list.at(-1)
  process.stdout.write(
    `${list.length} ${what}: median ${median} lines, longest ${longest.lines} (${longest.name})\n`,
  )
  if (median > limits[what].median || longest.lines > limits[what].longest) {
    process.stderr.write(
      `${what}: a median of ${limits[what].median} and ${limits[what].longest} at most are allowed\n`,
    )
    process.exitCode = 1
  }
}
process.stdout.write(`${found.files.reduce((sum, { lines }) => sum + lines, 0)} lines in src\n`)

/** Takes in every function that has a name: declared, a method, or the value of a constant. */
function visit(node, parent, file) {
  const isMethod =
    (parent?.type === 'MethodDefinition' && parent.kind !== 'constructor') ||
    (parent?.type === 'Property' && (parent.method || parent.kind !== 'init'))
  const name = isMethod ? parent.key : (node.id ?? (parent?.init === node ? parent.id : undefined))
  if (isFunction.test(node.type) && node.body && name) {
    const { start, end } = isMethod ? parent : node
    const lines = file.text
      .slice(start, end)
      .split('\n')
      .filter(line => !/^\s*($|\/\/|\/?\*)/.test(line)).length
    found.functions.push({ lines, name: `${file.name} ${name.name}` })
  }
  for (const child of Object.values(node).flat())
    if (typeof child?.type === 'string') visit(child, node, file)
}
