#!/usr/bin/env node
// Nothing is imported before the version is known: an old Node cannot even read the rest.
if (Number(process.versions.node.split('.')[0]) < 20) {
  process.stderr.write(`geogap: needs Node 20 or newer, this is ${process.versions.node}\n`)
  process.exitCode = 2
} else await import('./main.ts')

export {}
