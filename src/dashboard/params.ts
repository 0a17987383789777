/** Schemas of the endpoints' parameters; unknown parameters are refused. */
import { z } from 'zod'
import { parseJson } from '../lib/archive/json.ts'
import { pageSize } from './pages.ts'

const text = z.string().max(1000)

export const params = {
  nothing: z.strictObject({}),
  answers: z.strictObject({
    dataset: text,
    model: text,
    /** Ids of images as a JSON list. */
    ids: z.string().transform(parseJson).pipe(z.array(text).max(pageSize)),
  }),
  thumb: z.strictObject({
    content: z.string().regex(/^[\w .()/-]{1,200}$/),
    id: text,
    size: z.enum(['small', 'large']).optional(),
  }),
}

/** Returns the parameters of a query; a parameter that is given several times becomes a list, which the schemas refuse. */
export function singleValues(queries: Record<string, string[]>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(queries).map(([name, values]) => [
      name,
      values.length === 1 ? values[0] : values,
    ]),
  )
}
