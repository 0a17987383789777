// Compiles src/ to dist/ and copies the data files beside the modules that read them.
import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, rmSync } from 'node:fs'
import { buildClient } from './client.mjs'

rmSync('dist', { recursive: true, force: true })
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
  stdio: 'inherit',
})
cpSync('src', 'dist', {
  recursive: true,
  filter: source => !source.endsWith('.ts') && !source.includes('dashboard/client'),
})
await buildClient('dist/client')
chmodSync('dist/cli/bin/geogap.js', 0o755)
