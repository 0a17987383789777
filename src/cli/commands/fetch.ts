import { defineCommand } from './command.ts'
import { dataOption } from './options.ts'
import { transferPrinter } from './terminal.ts'

export const command = defineCommand({
  name: 'fetch',
  text: 'Download benchmarks: resumed after a cut, checked, never twice. Says what to do where a person must accept terms.',
  arguments: { '<name...>': 'benchmarks (geogap datasets)' },
  options: dataOption,
  examples: ['geogap fetch imagenet-v2 imagenet-r --data data'],
  run: async ({ name: names, data = 'data' }) => {
    const { fetchBenchmark } = await import('../../datasets/fetch.ts')
    for (const name of names) {
      const fetched = await fetchBenchmark(name, data, { onProgress: transferPrinter() })
      for (const { file, cached } of fetched)
        process.stdout.write(`${file}${cached ? ' (was there)' : ''}\n`)
    }
  },
})
