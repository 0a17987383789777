/** Chooses the field of WebDataset's JSON members that holds the class, where samples have no member `.cls`. */
import { inputError } from '../lib/errors.ts'
import { shortList } from '../lib/table/text.ts'
import { parseLabels } from './labels/labelSpace.ts'

type Metadata = Readonly<Record<string, unknown>>

/** Names of fields that may hold the class. */
const labelFields =
  'label labels cls class category target class_name classname label_name class_id class_index class_idx label_id category_id'.split(
    ' ',
  )

/**
 * Returns the field that `map` names, else the only usual one, or the first of several that are equal in all samples; undefined
 * where there is none.
 * @throws GeogapError `many-label-fields`, `no-label-column` if no sample has the field that `map` names
 */
export function chooseLabelField(
  location: string,
  samples: readonly Metadata[],
  map: Readonly<Record<string, string>> = {},
): string | undefined {
  const fields = [...new Set(samples.flatMap(sample => Object.keys(sample)))]
  const asked = map['labels'] ?? map['label']
  if (asked !== undefined && fields.includes(asked)) return asked
  if (asked !== undefined)
    throw inputError(
      'no-label-column',
      `no sample of ${location} has the field ${asked} in its JSON; fields: ${shortList(fields, 30)}`,
    )
  const [first, ...others] = fields.filter(field => labelFields.includes(field.toLowerCase()))
  if (first === undefined) return undefined
  const text = (sample: Metadata, field: string): string =>
    JSON.stringify(parseLabels(Object.hasOwn(sample, field) ? sample[field] : undefined))
  const different = others.filter(field =>
    samples.some(sample => text(sample, field) !== text(sample, first)),
  )
  if (different.length === 0) return first
  throw inputError(
    'many-label-fields',
    `several fields of the JSON in ${location} may be the class: ${[first, ...different].join(', ')}; say which one it is: --map label=FIELD`,
  )
}
