// Compiles src/ to dist/ and copies the data files beside the modules that read them.
import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { resolve } from 'node:path'
import { build } from 'vite'
import { buildClient } from './client.mjs'

rmSync('dist', { recursive: true, force: true })
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
  stdio: 'inherit',
})
cpSync('src', 'dist', {
  recursive: true,
  filter: source => !source.endsWith('.ts') && !source.includes('dashboard/client'),
})
await joinFamilies()
await buildClient('dist/client')
chmodSync('dist/cli/bin/geogap.js', 0o755)

/**
 * Joins the families with the module that lists them: every process that loads a model reads one file in place of a hundred.
 * `family.js` stays a module of its own, which others import.
 */
async function joinFamilies() {
  const families = resolve('dist/models/families')
  const isJoined = file => file.startsWith(`${families}/`) && !file.endsWith('/family.js')
  await build({
    configFile: false,
    logLevel: 'error',
    build: {
      ssr: 'dist/models/architectures.js',
      outDir: 'dist/models',
      emptyOutDir: false,
      minify: false,
      rollupOptions: {
        external: (id, importer) =>
          importer !== undefined && !isJoined(resolve(importer, '..', id)),
      },
    },
  })
  for (const name of readdirSync(families)) {
    if (name.endsWith('.js') && isJoined(`${families}/${name}`)) rmSync(`${families}/${name}`)
    // The joined module reads the tables from its own folder.
    if (name.endsWith('.tsv')) renameSync(`${families}/${name}`, `dist/models/${name}`)
  }
}
