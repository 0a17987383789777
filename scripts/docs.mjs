// Builds the site in docs/.vitepress/dist: the pages (a dead link is an error), the API reference and the JSON Schemas.
import { execFileSync } from 'node:child_process'
import { cpSync } from 'node:fs'

const site = 'docs/.vitepress/dist'
const run = (tool, ...args) =>
  execFileSync(process.execPath, [`node_modules/${tool}`, ...args], { stdio: 'inherit' })

run('tsx/dist/cli.mjs', 'scripts/exportSchema.ts')
run('vitepress/bin/vitepress.js', 'build', 'docs')
cpSync('docs/schema', `${site}/schema`, { recursive: true })
run('typedoc/bin/typedoc', '--out', `${site}/api`)
