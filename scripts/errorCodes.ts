/** Finds the codes of all errors that geogap throws on purpose; docs/troubleshooting.md explains each. */
import { readdirSync, readFileSync } from 'node:fs'
import ts from 'typescript'

const makers = /^(input|data|weights|network|storage|internal|image|weightFile|refusedOnnx)Error$/

/** The codes in `src/`, in order; those of `internalError` are faults of geogap and left out. */
export function errorCodes(): string[] {
  const found = new Set<string>()
  for (const name of readdirSync('src', { recursive: true, encoding: 'utf8' }).sort()) {
    if (!name.endsWith('.ts')) continue
    const source = ts.createSourceFile(
      name,
      readFileSync(`src/${name}`, 'utf8'),
      ts.ScriptTarget.Latest,
    )
    const visit = (node: ts.Node): void => {
      if (ts.isCallExpression(node) && ts.isIdentifier(node.expression)) {
        const [first] = node.arguments
        const called = node.expression.text
        const text = first && ts.isStringLiteralLike(first) ? first.text : undefined
        if (text !== undefined && makers.test(called) && called !== 'internalError') found.add(text)
        if (text !== undefined && called === 'unknownNameError')
          found.add(`unknown-${text.replaceAll(' ', '-')}`)
      }
      ts.forEachChild(node, visit)
    }
    visit(source)
  }
  return [...found].sort()
}
