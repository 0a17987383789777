import { defineCommand } from './command.ts'
import { queueOption } from './options.ts'
import { list, wholeNumber } from './parsers.ts'
import { printNote } from './terminal.ts'

export const command = defineCommand({
  name: 'serve',
  text: 'Look at results in a browser: a dashboard on this machine, until Ctrl-C.',
  arguments: { '<dir>': 'folder of results' },
  options: {
    '--port <n>': {
      text: 'port (default: a free one)',
      parse: wholeNumber(0, 65_535),
      default: 0,
    },
    '--host <address>': { text: 'address of this machine to listen on', default: '127.0.0.1' },
    '--images <folders>': {
      text: 'read images from these folders (default: those of images that this machine evaluated itself)',
      parse: list,
    },
    '--queue <url>': { text: queueOption['--queue <url>'].text, env: 'GEOGAP_QUEUE' },
  },
  examples: ['geogap serve results'],
  run: async ({ dir, ...options }) => {
    const { serve } = await import('../../dashboard/serve.ts')
    const { url } = await serve(dir, { ...options, onCount: countPrinter() })
    process.stdout.write(`${url}\n`)
  },
})

/** Prints the progress of counting on standard error if it takes long. */
function countPrinter(): (done: number, of: number) => void {
  let said = performance.now()
  return (done, of) => {
    if (performance.now() - said < 2000) return
    said = performance.now()
    printNote(`counting predictions: ${done} of ${of} evaluations`)
  }
}
