/**
 * Writes docs/glossary.md, the nouns of the code and every exported type, from their docstrings: `npm run docs:glossary`.
 * A test compares the page with the text that this returns.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

export const glossaryFile = new URL('../docs/glossary.md', import.meta.url)

/** The nouns that every room uses, in the order in which an evaluation meets them. */
const nouns = [
  'ModelSpec',
  'PreparedModel',
  'ModelSession',
  'PreprocessingStep',
  'Dataset',
  'Sample',
  'ImageSource',
  'EvaluationSettings',
  'Job',
  'IndexRange',
  'Predictions',
  'ResultKey',
  'StoredEvaluation',
  'Run',
  'Counts',
  'Table',
  'Answer',
]

interface GlossaryEntry {
  name: string
  file: string
  meaning: string
}

/** The text of docs/glossary.md. */
export function glossaryPage(): string {
  const exported = ['src/index.ts', 'src/metrics/index.ts'].map(exportedNames)
  const declared = declaredTypes([...nouns, ...exported.flat()])
  const rows = (names: readonly string[]) =>
    names
      .flatMap(name => declared.get(name) ?? [])
      .map(glossaryRow)
      .join('\n')
  return `# Glossary

One line for each type, from its docstring in the sources. One word has one meaning in all rooms of \`src/\`.

## The nouns

| noun | meaning | file of \`src/\` |
| --- | --- | --- |
${rows(nouns)}

## Types of \`geogap\`

| type | meaning | file of \`src/\` |
| --- | --- | --- |
${rows(exported[0]!)}

## Types of \`geogap/metrics\`

| type | meaning | file of \`src/\` |
| --- | --- | --- |
${rows(exported[1]!)}
`
}

const glossaryRow = ({ name, file, meaning }: GlossaryEntry): string =>
  `| \`${name}\` | ${meaning.replaceAll('|', '\\|')} | \`${file}\` |`

const parseSource = (file: string): ts.SourceFile =>
  ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true)

/** The interfaces and type aliases of `src/` that are exported with one of the names. */
function declaredTypes(names: readonly string[]): Map<string, GlossaryEntry> {
  const declaration = new RegExp(`^export (interface|type) (${names.join('|')})\\b`, 'm')
  const entries = new Map<string, GlossaryEntry>()
  for (const path of readdirSync('src', { recursive: true, encoding: 'utf8' }).sort()) {
    const file = path.replaceAll('\\', '/')
    if (!file.endsWith('.ts') || file.startsWith('dashboard/client/')) continue
    if (!declaration.test(readFileSync(join('src', file), 'utf8'))) continue
    for (const node of parseSource(join('src', file)).statements)
      if ((ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) && isExported(node))
        entries.set(node.name.text, { name: node.name.text, file, meaning: meaningOf(node) })
  }
  return entries
}

const isExported = (node: ts.InterfaceDeclaration | ts.TypeAliasDeclaration): boolean =>
  node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) ?? false

/** The first sentence of a declaration's docstring; empty if it has none. */
function meaningOf(node: ts.InterfaceDeclaration | ts.TypeAliasDeclaration): string {
  const [doc] = ts.getJSDocCommentsAndTags(node)
  const text = (doc && ts.getTextOfJSDocComment(doc.comment)) ?? ''
  return text.replace(/\s+/g, ' ').replace(/(?<=[^.]\.)\s.*$/, '')
}

/** The names that a module exports from other modules, sorted. */
const exportedNames = (file: string): string[] =>
  parseSource(file)
    .statements.flatMap(node =>
      ts.isExportDeclaration(node) && node.exportClause && ts.isNamedExports(node.exportClause)
        ? node.exportClause.elements.map(({ name }) => name.text)
        : [],
    )
    .sort()

if (process.argv[1] === fileURLToPath(import.meta.url))
  await writeFile(glossaryFile, glossaryPage())
