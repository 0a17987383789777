/** Asks for one file of the hub and prints what came of it. */
import { hubFile } from '../../../src/lib/hub/hub.ts'

const [repo, file] = process.argv.slice(2)
const result = await hubFile({ repo: repo!, file: file! })
process.stdout.write(JSON.stringify(result))
