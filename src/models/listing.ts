import { memoize } from '../lib/memoize.ts'
import { inputError, quoteForMessage, unknownNameError } from '../lib/errors.ts'
import { findArchitecture } from './architectures.ts'
import { findModel, modelNames, resolveModel } from './catalog.ts'
import { modelCost } from './modelCost.ts'
import { splitInputSize } from './inputSize.ts'
import { findPretraining } from './pretraining.ts'
import { type ModelSpec, type WeightSource } from './spec.ts'
import { testbed, type TestbedRow } from './testbed.ts'

/** The known facts of a model as one flat row; unknown texts are empty. */
export interface ModelRow {
  /** Full name, with its tag. */
  model: string
  /** The paper's name for it. */
  alias: string
  /** The paper's architecture group, or the family of the builder. */
  group: string
  evaluation: '1K' | 'zero-shot' | 'features'
  /** The factor from cosine similarities to logits, of an encoder of images and texts. */
  logitScale: string
  pretraining: string
  /** Images of the pretraining data. */
  images: number | null
  parameters: number
  multiplyAdds: number
  /** Pixels of each side of the model's own input. */
  input: number
  /** Pixels of each side at which timm validates the model: `NAME:test`. */
  testInput: number | null
  /** Top-1 accuracy on ImageNet in percent that timm publishes at this input size. */
  imagenetTop1: number | null
  licence: string
  /** The publication that states the licence; empty if none is known. */
  licenceSource: string
  source: string
  weights: string
  note: string
}

const numberFields = [
  'images',
  'parameters',
  'multiplyAdds',
  'input',
  'testInput',
  'imagenetTop1',
] as const
const textFields = [
  'model',
  'alias',
  'group',
  'evaluation',
  'logitScale',
  'pretraining',
  'licence',
  'licenceSource',
  'source',
  'weights',
  'note',
] as const
const modelFields: readonly (keyof ModelRow)[] = [...textFields, ...numberFields]

/** A condition on a row, written as `group=ResNet`, `model=clip:*` or `parameters<5e6`. */
export interface ModelFilter {
  field: keyof ModelRow
  test: (row: ModelRow) => boolean
}

/** Returns the rows of the paper's testbed, in its order. */
export const testbedRows = (): ModelRow[] =>
  testbed().map(row => modelRow(resolveModel(row.model), row))

/** Returns the rows of all models whose name or alias matches `pattern`. */
export const matchingRows = (pattern: string): ModelRow[] =>
  matchingNames(pattern).map(name => rowOf(resolveModel(name)))

/**
 * Returns the full names of all models whose name or alias matches `pattern`, or of the one that it names with a size.
 * @throws GeogapError those of `resolveModel`
 */
export function matchingNames(pattern: string): string[] {
  const fits = nameMatcher(pattern)
  const names = modelNames().filter(name => fits(name) || fits(findTestbedRow(name)?.name ?? ''))
  if (names.length === 0 && splitInputSize(pattern)[1] !== undefined)
    return [resolveModel(pattern).name]
  if (names.length === 0)
    throw unknownNameError('model', pattern, [
      ...modelNames(),
      ...testbed().map(({ name }) => name),
    ])
  return names
}

const findTestbedRow = (model: string): TestbedRow | undefined =>
  testbed().find(row => row.model === model)

/** Returns the row of a model by its full name or the paper's, with or without a size; undefined for any other name. */
export const findModelRow = memoize((name: string): ModelRow | undefined => {
  const [base] = splitInputSize(name)
  const alias = testbed().find(row => row.name.toLowerCase() === base.toLowerCase())
  const spec = alias || modelNames().includes(base) ? findModel(name) : undefined
  return spec && rowOf(spec)
})

const rowOf = (spec: ModelSpec): ModelRow =>
  modelRow(spec, findTestbedRow(spec.sizeOf ?? spec.name))

export function modelRow(spec: ModelSpec, row: TestbedRow | undefined): ModelRow {
  const pretraining = findPretraining(spec.name)
  return {
    model: spec.name,
    alias: row?.name ?? '',
    group: row?.group ?? groupOf(spec.architecture),
    evaluation: evaluationOf(spec),
    logitScale: logitScaleText(spec),
    pretraining: pretraining?.data ?? '',
    images: pretraining?.images ?? null,
    ...modelCost(spec),
    input: spec.recipe.size,
    testInput: spec.testRecipe?.size ?? null,
    imagenetTop1: spec.published?.find(({ size }) => size === spec.recipe.size)?.top1 ?? null,
    licence: spec.licence ?? '',
    licenceSource: spec.licenceSource ?? '',
    source: spec.source ?? '',
    weights: weightsText(spec.weights),
    note: [row?.reason, spec.note].filter(Boolean).join('; '),
  }
}

/**
 * Returns the paper's group for an architecture outside the testbed: that of the testbed's models whose names begin alike, else the
 * one that is called as the family, else the family. The group CLIP is one of training, so an EVA in it says nothing of others.
 */
const groupOf = memoize((architecture: string): string => {
  const { family } = findArchitecture(architecture)
  const first = firstWord(architecture)
  const alike = testbed().find(({ model, group }) => group !== 'CLIP' && firstWord(model) === first)
  const called = testbed().find(({ group }) => group.toLowerCase() === family)
  return (alike ?? called)?.group ?? family
})

/** Returns `regnetx` of regnetx_002 and `mobilenetv3` of mobilenetv3_small_100. */
const firstWord = (name: string): string => /^[a-z]+?(?:v\d)?(?=[\d_])/.exec(name)?.[0] ?? name

function evaluationOf({ classes, head }: ModelSpec): ModelRow['evaluation'] {
  if (classes === 'zero-shot') return classes
  return classes.length === 0 && !head ? 'features' : '1K'
}

function logitScaleText({ architecture }: ModelSpec): string {
  const found = findArchitecture(architecture)
  if (found.kind !== 'dual') return ''
  return found.logitScale === 'checkpoint'
    ? 'exp(logit_scale) of the weights; their logit_bias is added'
    : `${found.logitScale}, no bias`
}

function weightsText(weights: WeightSource): string {
  switch (weights.from) {
    case 'files':
      return weights.files.join(', ')
    case 'hub':
      return `hub: ${weights.repo}`
    case 'url':
      return weights.files.map(({ url }) => url).join(', ')
    case 'hand':
      return `by hand: ${weights.file} from ${weights.page}`
  }
}

/** Reads a condition. @throws GeogapError `bad-option`, `unknown-field` */
export function parseFilter(text: string): ModelFilter {
  const [, name, operator, wanted] = /^\s*(\w+)\s*(<=|>=|=|<|>)\s*(.+?)\s*$/.exec(text) ?? []
  if (!name)
    throw inputError(
      'bad-option',
      `--where takes field=value, field<number or field>number, not ${quoteForMessage(text)}`,
    )
  const field = modelFields.find(known => known.toLowerCase() === name.toLowerCase())
  if (!field) throw unknownNameError('field', name, modelFields)
  return { field, test: parseComparison(field, operator!, wanted!) }
}

function parseComparison(
  field: keyof ModelRow,
  operator: string,
  wanted: string,
): ModelFilter['test'] {
  const number = numberFields.find(known => known === field)
  if (!number) {
    if (operator !== '=')
      throw inputError('bad-option', `--where ${field}${operator}: ${field} is text, ask with =`)
    const fits = nameMatcher(wanted)
    return row => fits(String(row[field]))
  }
  const limit = Number(wanted)
  if (Number.isNaN(limit))
    throw inputError('bad-option', `--where ${field}${operator} takes a number, not ${wanted}`)
  return ({ [number]: value }) => {
    if (value === null) return false
    if (value === limit) return operator.endsWith('=')
    return operator.startsWith('<') ? value < limit : operator.startsWith('>') && value > limit
  }
}

/** Returns a test of names without regard to case: `*` stands for any characters; a pattern without one may be anywhere. */
export function nameMatcher(pattern: string): (name: string) => boolean {
  const parts = pattern.split('*').map(part => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
  const expression = new RegExp(parts.length > 1 ? `^${parts.join('.*')}$` : parts[0]!, 'i')
  return name => expression.test(name)
}
