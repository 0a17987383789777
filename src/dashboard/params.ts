/** What each address of the dashboard takes; anything else is refused. */
import { z } from 'zod'
import { dimensions } from '../analysis/datasetCounts.ts'
import { changes, outcomes } from './views.ts'

const text = z.string().max(1000)
const filter = {
  region: text.optional(),
  country: text.optional(),
  income: text.optional(),
  label: text.optional(),
}
const page = z
  .string()
  .regex(/^\d{1,6}$/)
  .default('0')
  .transform(Number)
const pair = { dataset: text, first: text, second: text, ...filter }

export const params = {
  nothing: z.strictObject({}),
  scatter: z.strictObject({ x: text, y: text, ...filter }),
  model: z.strictObject({ dataset: text, model: text, ...filter }),
  gallery: z.strictObject({
    dataset: text,
    model: text,
    outcome: z.enum(outcomes).default('wrong'),
    page,
    ...filter,
  }),
  compare: z.strictObject({ by: z.enum(dimensions).default('region'), ...pair }),
  flips: z.strictObject({ change: z.enum(changes).default('lost'), page, ...pair }),
  thumb: z.strictObject({ content: z.string().regex(/^[\w .()/-]{1,200}$/), id: text }),
}

/** The values of a query that are there once each. */
export function singleValues(queries: Record<string, string[]>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(queries).map(([name, values]) => [
      name,
      values.length === 1 ? values[0] : values,
    ]),
  )
}
