/**
 * The sources as plain JavaScript in `.build/`, so that the tests, and the command lines, workers and other processes that
 * they start, load modules as users' programs do, without a compiler in every process. What is started as a process is
 * bundled with all that it imports: loading hundreds of small files took half of the time of a short process.
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
import { dirname, join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Plugin } from 'vite'

const root = join(import.meta.dirname, '..')
const target = join(root, '.build')

/** Where the built form of a file is, given its path in the repository: `.build/src/sql.js` for `src/lib/sql.ts`. */
export const builtPath = (name: string): string => join(target, name.replace(/\.ts$/, '.js'))

/** The product without what runs in browsers, what it reads beside itself, and the programs that tests start with their helpers. */
const wanted = /^(package\.json|experiments\/.*|src\/(?!dashboard\/client\/).*|test\/.*\.ts)$/
const unwanted = /\.(test|d)\.ts$/
/** What is started as a process of its own. */
const programs =
  /^(src\/(cli\/bin\/geogap|evaluate\/workers\/worker|dashboard\/thumbnailProcess)|test\/.*\.child)\.ts$/
/** Packages of many small files that a worker loads; the others are loaded as they are installed. */
const bundled = /^(zod|@bufbuild\/protobuf)(\/|$)/

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
  const present = readdirSync(target).filter(name => !['check', 'chunks'].includes(name))
  for (const name of filesOf(target, present))
    if (!kept.has(join(target, name))) rmSync(join(target, name))
  const changed = names.filter(name => isOlder(builtPath(name), join(root, name)))
  for (const name of changed) if (!programs.test(name)) await buildFile(name)
  if (changed.some(name => name.endsWith('.ts')))
    await bundle(names.filter(name => programs.test(name)))
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
  const { transformWithOxc } = await import('vite')
  const { code } = await transformWithOxc(readFileSync(from, 'utf8'), from, {
    target: 'es2022',
    sourcemap: false,
    tsconfig: false,
    typescript: { rewriteImportExtensions: true },
  })
  writeFileSync(to, code)
}

/** Lets a bundled module find what lies beside it where its own built form is. */
const ownPlace: Plugin = {
  name: 'own-place',
  enforce: 'pre',
  transform: (code, id) =>
    id.startsWith(`${root}/`) && !id.includes('/node_modules/')
      ? code.replaceAll(
          'import.meta.url',
          JSON.stringify(pathToFileURL(builtPath(relative(root, id)))),
        )
      : null,
}

async function bundle(names: readonly string[]): Promise<void> {
  rmSync(join(target, 'chunks'), { recursive: true, force: true })
  const vite = await import('vite')
  await vite.build({
    configFile: false,
    root,
    logLevel: 'warn',
    plugins: [ownPlace],
    publicDir: false,
    ssr: { noExternal: [bundled] },
    build: {
      ssr: true,
      target: 'es2022',
      minify: false,
      outDir: target,
      emptyOutDir: false,
      rolldownOptions: {
        input: Object.fromEntries(names.map(name => [name.replace(/\.ts$/, ''), join(root, name)])),
        output: {
          format: 'es',
          entryFileNames: '[name].js',
          chunkFileNames: 'chunks/[name]-[hash].js',
        },
      },
    },
  })
}
