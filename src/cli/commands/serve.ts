import { Command } from 'commander'
import { withoutUndefined } from './options.ts'
import { parseList, wholeNumber } from './parsers.ts'
import { printNote } from './progress.ts'
import { queueOption } from './queueOption.ts'

interface ServeCommandOptions {
  port: number
  host: string
  images?: string[]
  queue?: string
}

/**
 * Builds the command `geogap serve`.
 *
 * @example
 *     geogap serve results
 */
export function command(): Command {
  return new Command('serve')
    .description('Look at results in a browser: a dashboard on this machine, until Ctrl-C.')
    .argument('<dir>', 'folder of results')
    .option('--port <n>', 'port (default: a free one)', wholeNumber('--port', 0, 65_535), 0)
    .option('--host <address>', 'address of this machine to listen on', '127.0.0.1')
    .option(
      '--images <folders>',
      'read images from these folders only (default: where they were evaluated)',
      parseList,
    )
    .addOption(queueOption(false))
    .addHelpText('after', '\nExample:\n  geogap serve results')
    .action(async (dir: string, { port, host, images, queue }: ServeCommandOptions) => {
      const { serve } = await import('../../dashboard/serve.ts')
      const { url } = await serve(dir, {
        port,
        host,
        ...withoutUndefined({ images, queue }),
        onCount: countPrinter(),
      })
      process.stdout.write(`${url}\n`)
    })
}

/** Says on standard error how far counting is, when it takes long. */
function countPrinter(): (done: number, of: number) => void {
  let said = performance.now()
  return (done, of) => {
    if (performance.now() - said < 2000) return
    said = performance.now()
    printNote(`counting predictions: ${done} of ${of} evaluations`)
  }
}
