/** Schemas of preprocessing as model.json and the hub's files describe it. */
import { z } from 'zod'
import { interpolations } from '../lib/pixels/steps.ts'

export const sideSchema = z.int().min(1).max(8192)
export const tripleSchema = z.tuple([z.number(), z.number(), z.number()]).readonly()
export const deviationsSchema = z
  .tuple([z.number().positive(), z.number().positive(), z.number().positive()])
  .readonly()
/** RGB by default. */
const channelsSchema = z.enum(['RGB', 'BGR']).optional()
const interpolationSchema = z.enum(interpolations)
export const recipeSchema = z.strictObject({
  mean: tripleSchema,
  std: deviationsSchema,
  channels: channelsSchema,
  interpolation: interpolationSchema,
  cropPct: z.number().positive().max(1),
  size: sideSchema,
  squash: z.boolean().optional(),
})
export const stepsSchema = z.tuple([
  z.strictObject({
    step: z.literal('resize'),
    size: sideSchema,
    interpolation: interpolationSchema,
    squash: z.boolean().optional(),
  }),
  z.strictObject({
    step: z.literal('centerCrop'),
    size: sideSchema,
    offset: z.literal('floor').optional(),
  }),
  z.strictObject({
    step: z.literal('normalize'),
    mean: tripleSchema,
    std: deviationsSchema,
    channels: channelsSchema,
  }),
])
