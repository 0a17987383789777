// Builds the dashboard's browser code. It shares pure modules with the rest of src/; modules for Node are left out.
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'

const root = fileURLToPath(new URL('../src/dashboard/client', import.meta.url))
const forBrowsers = /^(preact|vega|vega-lite|vega-interpreter|world-atlas|string-width)(\/|$)/
const forNode =
  /\/(datasets|models|results|evaluate|paper|storage|hub|archive|onnx|pixels|tensors)\/|\/(datasetRoles|sql)\.ts$/

const mark = 'only in Node: '

const sharing = {
  name: 'sharing',
  enforce: 'pre',
  resolveId(source, importer = '') {
    // Modules that read files have a twin that a browser can run.
    const twin = /\/(measure|atlas)\.ts$/.exec(source)?.[1]
    if (twin) return `${root}/${twin}.ts`
    if (importer === '' || importer.includes('node_modules') || source.startsWith('\0')) return null
    const foreign = source.startsWith('.') ? forNode.test(source) : !forBrowsers.test(source)
    return foreign ? { id: `\0${mark}${source}`, moduleSideEffects: false } : null
  },
  load: id =>
    id.includes(mark) ? `module.exports = { name: ${JSON.stringify(id.slice(1))} }` : null,
  generateBundle(_, chunks) {
    for (const { code = '' } of Object.values(chunks)) {
      const used = new RegExp(`${mark}[^"'\`]*`).exec(code)
      if (used) this.error(`the dashboard would need ${used[0].slice(mark.length)} in the browser`)
    }
  },
}

const notices = 'THIRD-PARTY.md'

/** Puts the licences of the bundled packages beside the code, which goes to web hosts without the package. */
const licences = {
  name: 'licences',
  generateBundle() {
    const source = readFileSync(new URL(`../${notices}`, import.meta.url), 'utf8')
    this.emitFile({ type: 'asset', fileName: notices, source })
  },
}

const rolldownOptions = {
  checks: { pluginTimings: false },
  output: {
    // Licence comments of the sources stay, and each file says where all licences are.
    comments: { legal: true },
    postBanner: `/*! geogap (Apache-2.0) and packages whose licences ${notices} beside index.html has */`,
  },
  treeshake: {
    moduleSideEffects: id =>
      /node_modules\/(?!vega-lite)|src\/dashboard\/client|vite\/|\.css$/.test(id),
  },
}

export async function buildClient(outDir) {
  await build({
    root,
    base: './',
    configFile: false,
    logLevel: 'warn',
    plugins: [sharing, licences],
    worker: { format: 'es', plugins: () => [sharing], rolldownOptions },
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    build: {
      outDir: resolve(outDir),
      emptyOutDir: true,
      target: 'es2022',
      chunkSizeWarningLimit: 2000,
      reportCompressedSize: false,
      modulePreload: { polyfill: false },
      rolldownOptions,
    },
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await buildClient(process.argv[2] ?? 'dist/client')
