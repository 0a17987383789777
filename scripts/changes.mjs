// Which files of the repository changed, and which tests reach them, nearest first.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { posix } from 'node:path'

const git = (...args) => execFileSync('git', args, { encoding: 'utf8' }).trim()

/** Returns the files that differ from where this branch left main (or from `ref`), uncommitted and new files included. */
export function changedFiles(ref) {
  const main = ref ?? ['origin/main', 'main'].find(isCommit) ?? 'HEAD'
  const changed = git('diff', '--name-only', '--relative', git('merge-base', main, 'HEAD'))
  const added = git('ls-files', '--others', '--exclude-standard')
  return [...new Set(`${changed}\n${added}`.split('\n'))].filter(file => existsSync(file)).sort()
}

function isCommit(ref) {
  try {
    return git('rev-parse', '--verify', '--quiet', `${ref}^{commit}`) !== ''
  } catch {
    return false
  }
}

/**
 * Returns the test files that reach a changed file, nearest first. A file reaches every file that it names in a string: imports of
 * all kinds, `new URL('./worker.ts', …)`, `builtPath('src/…')` and pages that a test reads. A test that changed, or that stands in
 * test/ where the changed source stands in src/, comes first.
 */
export function affectedTests(changed) {
  const importers = importersByFile()
  const distances = new Map(changed.map(file => [file, 0]))
  for (const file of changed) {
    const mirror = file.replace(/^src\/(.*)\.tsx?$/, 'test/$1.test.ts')
    if (mirror !== file && importers.has(mirror)) distances.set(mirror, 0)
  }
  const queue = [...distances.keys()]
  for (const file of queue)
    for (const importer of importers.get(file) ?? []) {
      if (distances.has(importer)) continue
      distances.set(importer, distances.get(file) + 1)
      queue.push(importer)
    }
  return queue.filter(file => file.endsWith('.test.ts'))
}

/** Maps every file to the files that name it. */
function importersByFile() {
  const files = ['src', 'test', 'scripts', 'bench', 'examples'].flatMap(listFiles)
  const importers = new Map(files.map(file => [file, []]))
  for (const file of files.filter(name => /\.(tsx?|mjs)$/.test(name)))
    for (const named of namedFiles(file)) {
      if (!importers.has(named)) importers.set(named, [])
      importers.get(named).push(file)
    }
  return importers
}

const listFiles = folder =>
  readdirSync(folder, { recursive: true })
    .map(name => `${folder}/${name.replaceAll('\\', '/')}`)
    .filter(name => statSync(name).isFile())

/**
 * Returns the files that a file names in quotes, from its own folder (`./x.ts`) or from the root (`src/x.ts`): itself, and all
 * files of a named folder of a room.
 */
function namedFiles(file) {
  const texts = readFileSync(file, 'utf8').matchAll(/['"`]([\w.-]*\/[\w./-]+)['"`]/g)
  const paths = [...texts].flatMap(([, path]) => [
    posix.join(posix.dirname(file), path),
    posix.normalize(path),
  ])
  return [...new Set(paths)]
    .filter(path => !path.startsWith('.') && !path.startsWith('/') && existsSync(path))
    .flatMap(path => {
      if (statSync(path).isFile()) return [path]
      return /^src\/\w+\/\w/.test(path) ? listFiles(path) : []
    })
}
