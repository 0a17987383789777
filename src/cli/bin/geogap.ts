#!/usr/bin/env node
// Checks the version before any import: an old Node cannot parse the other modules.
if (Number(process.versions.node.split('.')[0]) < 20) {
  process.stderr.write(`geogap: needs Node 20 or newer, this is ${process.versions.node}\n`)
  process.exitCode = 2
} else await import('./main.ts')

export {}
