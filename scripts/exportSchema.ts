/** Writes the JSON Schemas of docs/schema: `npm run docs:schema`. A test compares them with what is there; that of config files
 * changes with every option and is written when the site is built. */
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { type Command, type Option } from 'commander'
import { z } from 'zod'
import { choicesOf } from '../src/cli/commands/command.ts'
import { commands } from '../src/cli/commands/index.ts'
import { buildProgram } from '../src/cli/commands/program.ts'
import { packSchema } from '../src/analysis/pack.ts'
import { noAcceptedClass, shardManifest } from '../src/results/schema.ts'
import { tablesSchema } from '../src/lib/table/writeTables.ts'

const folder = new URL('../docs/schema/', import.meta.url)

const index = z.number().int().min(0)

/** A row of a shard, as DuckDB or pandas give it; further columns are the data set's. */
const prediction = z
  .object({
    id: z.string(),
    label: z.string(),
    labels: z.array(index),
    top5: z.array(index).max(5),
    probabilities: z.array(z.number()).max(5),
    rank: z.number().int().min(1).nullable(),
    target_probability: z.number().min(0).nullable().optional(),
    correct1: z.boolean().nullable(),
    correct5: z.boolean().nullable(),
    status: z.string().meta({ description: `ok, ${noAcceptedClass}, or an error code` }),
  })
  .catchall(z.union([z.string(), z.number(), z.null()]))
  .meta({ title: 'A row of predictions' })

/** File names and texts of all schemas. */
export function schemas(): Record<string, string> {
  const all = {
    'tables-1.json': z.toJSONSchema(tablesSchema),
    'predictions-1.json': z.toJSONSchema(prediction),
    'manifest-1.json': z.toJSONSchema(
      shardManifest.meta({ title: 'The manifest of a shard of predictions' }),
    ),
    'pack-3.json': z.toJSONSchema(packSchema.meta({ title: 'A pack, unzipped' })),
  }
  return Object.fromEntries(
    Object.entries(all).map(([name, schema]) => [name, `${JSON.stringify(schema, null, 2)}\n`]),
  )
}

/** A schema in docs/schema. */
export const writtenSchema = async (name: string): Promise<unknown> =>
  JSON.parse(await readFile(new URL(name, folder), 'utf8'))

/** Of `geogap.config.json`: each command's options, in camel case or as on the command line. */
function configSchema(root: Command): object {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Config file of geogap',
    type: 'object',
    properties: Object.fromEntries(
      root.commands.flatMap(command => sections(command, command.name())),
    ),
    additionalProperties: false,
  }
}

function sections(command: Command, path: string): [string, object][] {
  const properties = Object.fromEntries(
    command.options
      .filter(({ long }) => !['--config', '--debug'].includes(long!))
      .flatMap(option => {
        const names = new Set([option.attributeName(), option.long!.slice(2)])
        return [...names].map(name => [
          name,
          { description: option.description, ...valueSchema(option) },
        ])
      }),
  )
  const inner = command.commands.flatMap(each => sections(each, `${path} ${each.name()}`))
  return [[path, { type: 'object', properties, additionalProperties: false }], ...inner]
}

function valueSchema(option: Option): object {
  if (!option.required && !option.optional) return { type: 'boolean' }
  const words = choicesOf(option)
  const one = words ? { enum: words } : { type: ['string', 'number'] }
  return {
    anyOf: [one, { type: 'array', items: one }, ...(option.optional ? [{ type: 'boolean' }] : [])],
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const config = `${JSON.stringify(configSchema(await buildProgram(commands)))}\n`
  for (const [name, text] of Object.entries({ ...schemas(), 'config-1.json': config }))
    await writeFile(new URL(name, folder), text)
}
