// Prints how long files and functions of src/ are, median and longest; fails where that is more than the house allows.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'

const limits = { files: { median: 120, longest: 400 }, functions: { median: 10, longest: 60 } }

const found = { files: [], functions: [] }
for (const name of readdirSync('src', { recursive: true }).filter(name => /\.tsx?$/.test(name))) {
  const source = ts.createSourceFile(
    name,
    readFileSync(join('src', name), 'utf8'),
    ts.ScriptTarget.Latest,
    true,
  )
  found.files.push({ lines: source.getLineStarts().length - 1, name })
  visit(source, source)
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
function visit(node, source) {
  const name = ts.isVariableDeclaration(node.parent ?? node) ? node.parent.name : node.name
  if (ts.isFunctionLike(node) && node.body && name) {
    const lines = node
      .getText()
      .split('\n')
      .filter(line => !/^\s*($|\/\/|\/?\*)/.test(line)).length
    found.functions.push({ lines, name: `${source.fileName} ${name.getText()}` })
  }
  ts.forEachChild(node, child => visit(child, source))
}
