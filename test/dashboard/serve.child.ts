/** Serves results from a process of its own: `node serve.child.ts RESULTS CLIENT` prints the address. */
import { serve } from '../../src/dashboard/serve.ts'

const [results, client] = process.argv.slice(2)
const { url } = await serve(results!, { client: client! })
process.stdout.write(`${url}\n`)
