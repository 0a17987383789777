/**
 * The sources as plain JavaScript in `.build/`, so that the tests, and the command lines, workers and other processes that
 * they start, load modules as users' programs do, without a compiler in every process.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'

const root = join(import.meta.dirname, '..')
const target = join(root, '.build')

/** Where the built form of a file is, given its path in the repository: `.build/src/sql.js` for `src/lib/sql.ts`. */
export const builtPath = (name: string): string => join(target, name.replace(/\.ts$/, '.js'))

/** The product without what runs in browsers, what it reads beside itself, and the programs that tests start with their helpers. */
const wanted = /^(package\.json|experiments\/.*|src\/(?!dashboard\/client\/).*|test\/.*\.ts)$/
const unwanted = /\.(test|d)\.ts$/

const filesOf = (folder: string, names: readonly string[]): string[] =>
  names.flatMap(name =>
    statSync(join(folder, name)).isFile()
      ? [name]
      : filesOf(
          folder,
          readdirSync(join(folder, name)).map(inner => `${name}/${inner}`),
        ),
  )

/** Builds the files that changed since the last time, without looking at types. `.build/check/` belongs to scripts/check.mjs. */
export default async function build(): Promise<void> {
  mkdirSync(target, { recursive: true })
  const names = filesOf(root, ['package.json', 'experiments', 'src', 'test']).filter(
    name => wanted.test(name) && !unwanted.test(name),
  )
  const kept = new Set(names.map(builtPath))
  const present = readdirSync(target).filter(name => name !== 'check')
  for (const name of filesOf(target, present))
    if (!kept.has(join(target, name))) rmSync(join(target, name))
  for (const name of names) if (isOlder(builtPath(name), join(root, name))) await buildFile(name)
}

const isOlder = (file: string, source: string): boolean =>
  !existsSync(file) || statSync(file).mtimeMs <= statSync(source).mtimeMs

async function buildFile(name: string): Promise<void> {
  const [from, to] = [join(root, name), builtPath(name)]
  mkdirSync(dirname(to), { recursive: true })
  if (!name.endsWith('.ts')) {
    copyFileSync(from, to)
    return
  }
  const { default: ts } = await import('typescript')
  const compilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    verbatimModuleSyntax: true,
    rewriteRelativeImportExtensions: true,
  }
  writeFileSync(
    to,
    ts.transpileModule(readFileSync(from, 'utf8'), { fileName: from, compilerOptions }).outputText,
  )
}
