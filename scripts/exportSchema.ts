/** Writes docs/schema/tables-1.json, the JSON Schema of exported tables: `npm run docs:schema`. A test compares the two. */
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { exportSchema } from '../src/report/output.ts'

export const schemaFile = new URL('../docs/schema/tables-1.json', import.meta.url)

/** The text of the schema file. */
export const schemaText = (): string => `${JSON.stringify(z.toJSONSchema(exportSchema), null, 2)}\n`

if (process.argv[1] === fileURLToPath(import.meta.url)) await writeFile(schemaFile, schemaText())
