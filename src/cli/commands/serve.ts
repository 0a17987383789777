import { Command } from 'commander'
import { given, several, wholeNumber } from './options.ts'
import { note } from './progress.ts'
import { queueOption } from './queueOption.ts'

interface Options {
  port: number
  host: string
  images?: string[]
  queue?: string
}

export function command(): Command {
  return new Command('serve')
    .description('Look at results in a browser: a dashboard on this machine, until Ctrl-C.')
    .argument('<dir>', 'folder of results')
    .option('--port <n>', 'port (default: a free one)', wholeNumber('--port', 0, 65_535), 0)
    .option('--host <address>', 'address of this machine to listen on', '127.0.0.1')
    .option('--images <folders>', 'read images from these folders only (default: where they were evaluated)', several)
    .addOption(queueOption(false))
    .addHelpText('after', '\nExample:\n  geogap serve results')
    .action(async (dir: string, { port, host, images, queue }: Options) => {
      const { serve } = await import('../../dashboard/serve.ts')
      const { url } = await serve(dir, { port, host, ...given({ images, queue }), onCount: counted() })
      process.stdout.write(`${url}\n`)
    })
}

/** Says on standard error how far counting is, when it takes long. */
function counted(): (done: number, of: number) => void {
  let said = performance.now()
  return (done, of) => {
    if (performance.now() - said < 2000) return
    said = performance.now()
    note(`counting predictions: ${done} of ${of} evaluations`)
  }
}
