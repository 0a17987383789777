import { defineCommand } from './command.ts'
import { dataOption } from './options.ts'
import { printNote, printTerms, transferPrinter } from './terminal.ts'

export const command = defineCommand({
  name: 'fetch',
  text: 'Download benchmarks or data sets of the hub: resumed after a cut, checked, never twice. Says what to do where a person must accept terms.',
  arguments: {
    '<name...>': 'benchmarks (geogap datasets) or hf:OWNER/NAME[@REVISION][:CONFIG/SPLIT]',
  },
  options: dataOption,
  examples: ['geogap fetch imagenet-v2 imagenet-r --data data'],
  run: async ({ name: names, data = 'data' }) => {
    const { fetchBenchmark } = await import('../../datasets/fetch.ts')
    const { findBenchmark } = await import('../../datasets/benchmarks/index.ts')
    for (const name of names) {
      const options = { onProgress: transferPrinter(), onTerms: printTerms }
      for (const { file, cached } of await fetchBenchmark(name, data, options))
        process.stdout.write(`${file}${cached ? ' (was there)' : ''}\n`)
      const hub = findBenchmark(name)?.benchmark.hub
      if (hub)
        printNote(
          `${hub.name} is the copy of ${name} on the hub: ${hub.difference}; next: --dataset ${hub.name}`,
        )
    }
  },
})
