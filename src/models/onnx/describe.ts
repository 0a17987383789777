/** Drafts a model.json from the facts of an ONNX file, and names the keys that are guesses. */
import { basename } from 'node:path'
import {
  type GeogapError,
  quoteForMessage,
  escapeForMessage,
  weightsError,
} from '../../lib/errors.ts'
import { imagenetMean, imagenetStd } from '../../lib/pixels/steps.ts'
import { type OnnxModelDescription } from '../ownModel.ts'
import { admitOnnx } from './admit.ts'
import { type OnnxFacts, type OnnxValue } from './inspect.ts'

type TensorLayout = OnnxModelDescription['input']['layout']

export interface DescribedOnnx {
  facts: OnnxFacts
  description: OnnxModelDescription
  /** The reason for each guess, with its key. */
  reasons: string[]
  /** What an image tower of an encoder of images and texts lacks; null for a graph with classes. */
  towerNote: string | null
}

/**
 * Describes an ONNX file as a model.
 * @throws GeogapError `not-an-image-model` if no input is an image or no output a row for it, and the errors of `admitOnnx`
 */
export async function describeOnnx(file: string): Promise<DescribedOnnx> {
  const facts = await admitOnnx(file)
  const guesses = new Map<string, string>()
  const { input, size } = inputOf(facts, guesses)
  const { output, width } = outputOf(facts, guesses)
  const classes = output.kind === 'embedding' ? [] : classesOf(width, guesses)
  const resized = Math.floor(size / 0.875)
  guesses.set('preprocessing', `the file does not say; ImageNet's usual steps for ${size} pixels`)
  const description: OnnxModelDescription = {
    onnx: basename(file),
    input,
    preprocessing: [
      { step: 'resize', size: resized, interpolation: 'bilinear' },
      { step: 'centerCrop', size },
      { step: 'normalize', mean: imagenetMean, std: imagenetStd },
    ],
    classes,
    output,
    guessed: [...guesses.keys()],
  }
  return {
    facts,
    description,
    reasons: [...guesses].map(([key, reason]) => `${key}: ${reason}`),
    towerNote: output.kind === 'embedding' ? towerNote : null,
  }
}

const towerNote =
  'logit scale: unknown, an image tower does not hold it; if a text tower belongs to it, add "text" with logitScale, the exp(logit_scale) of the checkpoint (its logit_bias changes no probability); without it classes are ranked and have no probabilities'

const notImageModelError = (file: string, what: string): GeogapError =>
  weightsError(
    'not-an-image-model',
    `cannot use ${quoteForMessage(file, 300)} as an image model: ${what}`,
  )

function inputOf(
  facts: OnnxFacts,
  guesses: Map<string, string>,
): { input: OnnxModelDescription['input']; size: number } {
  const list = facts.inputs.map(valueText).join(', ')
  if (facts.inputs.length !== 1)
    throw notImageModelError(facts.file, `it needs ${facts.inputs.length} inputs: ${list}`)
  const [found] = facts.inputs as [OnnxValue]
  const { name, dtype, shape } = found
  if (shape.length !== 4 || !(dtype === 'float32' || dtype === 'float16' || dtype === 'uint8'))
    throw notImageModelError(facts.file, `its input is no batch of images: ${list}`)
  const layout = layoutOf(shape, guesses)
  const side = (layout === 'NCHW' ? shape.slice(2) : shape.slice(1, 3)).find(
    dim => typeof dim === 'number',
  )
  if (side === undefined)
    guesses.set('preprocessing.1.size', 'any size is taken; 224 is the commonest')
  return { input: { name, layout, dtype }, size: typeof side === 'number' ? side : 224 }
}

function layoutOf(shape: OnnxValue['shape'], guesses: Map<string, string>): TensorLayout {
  if (shape[1] === 3) return 'NCHW'
  if (shape[3] === 3) return 'NHWC'
  const layout = typeof shape[1] === 'number' && shape[1] > 4 ? 'NHWC' : 'NCHW'
  guesses.set('input.layout', `no size of 3 in [${shape.map(dimText).join(', ')}]`)
  return layout
}

const kindHints: readonly (readonly [RegExp, OnnxModelDescription['output']['kind']])[] = [
  [/prob|softmax/i, 'probabilities'],
  [/embed|feature|pool|hidden/i, 'embedding'],
]

function outputOf(
  facts: OnnxFacts,
  guesses: Map<string, string>,
): { output: OnnxModelDescription['output']; width: number | undefined } {
  const list = facts.outputs.map(valueText).join(', ')
  const rows = facts.outputs.filter(
    ({ shape }) => shape.slice(1).filter(size => size !== 1).length <= 1,
  )
  const best = rows.find(({ name }) => /logit|prob|class/i.test(name)) ?? rows[0]
  if (!best)
    throw notImageModelError(facts.file, `no output has one row for each image: ${list || 'none'}`)
  if (rows.length > 1) guesses.set('output.name', `one of ${rows.map(valueText).join(', ')}`)
  const width = best.shape.slice(1).find(size => typeof size === 'number' && size !== 1) as
    number | undefined
  if (best.operator === 'Softmax')
    return { output: { name: best.name, kind: 'probabilities' }, width }
  const kind = kindHints.find(([pattern]) => pattern.test(best.name))?.[1] ?? 'logits'
  const from = best.operator === '' ? '' : ` of a node ${escapeForMessage(best.operator, 40)}`
  guesses.set('output.kind', `by the name of output ${quoteForMessage(best.name)}${from}`)
  return { output: { name: best.name, kind }, width }
}

function classesOf(
  width: number | undefined,
  guesses: Map<string, string>,
): OnnxModelDescription['classes'] {
  if (width === 1000) {
    guesses.set('classes', "1,000 columns, taken for ImageNet's classes in wnid order")
    return 'imagenet-1k'
  }
  guesses.set(
    'classes',
    width === undefined ? 'their number is not in the file' : 'their names are not in the file',
  )
  return Array.from({ length: Math.min(width ?? 2, 100_000) }, (_, i) => `class ${i}`)
}

const dimText = (dim: number | string): string =>
  typeof dim === 'number' ? String(dim) : dim === '' ? '?' : dim

/** Returns one line such as `pixels float32 [n, 3, 224, 224]`. */
const valueText = ({ name, dtype, shape }: OnnxValue): string =>
  escapeForMessage(`${name} ${dtype} [${shape.map(dimText).join(', ')}]`, 120)
