// Compiles src/ to dist/, joins the modules into fewer files and copies the data files that they read.
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { build } from 'vite'
import { buildClient } from './client.mjs'

const dist = resolve('dist')

/** Modules that users import or that a process is started with: they keep their places. */
const { exports, bin } = JSON.parse(readFileSync('package.json', 'utf8'))
const entries = [
  ...Object.values(exports).map(({ default: file }) => file),
  ...Object.values(bin),
  'dist/evaluate/workers/worker.js',
  'dist/dashboard/thumbnailProcess.js',
].map(file => relative(dist, resolve(file)).replace(/\.js$/, ''))

rmSync(dist, { recursive: true, force: true })
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
  stdio: 'inherit',
})
await joinModules()
cpSync('src', dist, {
  recursive: true,
  filter: source => !source.endsWith('.ts') && !source.includes('dashboard/client'),
})
await buildClient('dist/client')
chmodSync('dist/cli/bin/geogap.js', 0o755)

/**
 * Joins the compiled modules: those that are always imported together become one file of dist/modules, so that a
 * command opens a third of the files. Packages stay imports.
 */
async function joinModules() {
  const { output } = await build({
    configFile: false,
    logLevel: 'error',
    plugins: [{ name: 'addresses', transform: keepAddress }],
    build: {
      ssr: true,
      write: false,
      minify: false,
      target: 'esnext',
      rolldownOptions: {
        input: Object.fromEntries(entries.map(name => [name, join(dist, `${name}.js`)])),
        external: id => !/^\.|^@oxc-project\//.test(id) && !id.startsWith(dist),
        output: { entryFileNames: '[name].js', chunkFileNames: 'modules/[name]-[hash].js' },
      },
    },
  })
  for (const file of readdirSync(dist, { recursive: true }))
    if (file.endsWith('.js')) rmSync(join(dist, file))
  for (const { fileName, code } of output) {
    const file = join(dist, fileName)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, code)
  }
}

/** Data files and the modules of child processes are found from the place of the module before it was joined. */
function keepAddress(code, id) {
  if (!id.startsWith(dist + sep) || !code.includes('import.meta.url')) return null
  const path = relative(dist, id).replaceAll(sep, '/')
  return code.replaceAll('import.meta.url', `new URL('../${path}', import.meta.url).href`)
}
