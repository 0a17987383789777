import { exitCodes, run } from './run.ts'

// The reader of the output has gone. Only a lost standard output ends the process.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE' || error.code === 'EIO') process.exit()
  process.stderr.write(`geogap: cannot write the result: ${error.message}\n`)
  process.exit(exitCodes.storage)
})
process.stderr.on('error', () => undefined)

await run(process.argv.slice(2))
