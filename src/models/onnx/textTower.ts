/* Describes the text tower of a foreign encoder of images and texts by its file, its tokenizer and their settings. */
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { parseJson } from '../../lib/archive/json.ts'
import { type GeogapError, quoteForMessage, weightsError } from '../../lib/errors.ts'
import { type BoundTextTower, type ForeignTextTower } from '../spec.ts'
import { admitOnnx } from './admit.ts'
import { type OnnxValue } from './inspect.ts'

/** The files of a text tower on this machine. */
export interface TextTowerFiles {
  graph: string
  tokenizer: string
  /** Transformers' `tokenizer_config.json`, if it exists. */
  tokenizerConfig?: string | undefined
}

/**
 * Compares a text tower with its file and completes it with the length and padding that its tokenizer states. Returns it with
 * the files of its graph.
 * @throws GeogapError `graph-mismatch`, and the errors of `admitOnnx`
 */
export async function bindTextTower(
  name: string,
  tower: ForeignTextTower,
  { graph, tokenizer, tokenizerConfig }: TextTowerFiles,
): Promise<{ files: string[]; text: BoundTextTower }> {
  const refuse = (what: string): GeogapError =>
    weightsError('graph-mismatch', `the text tower of ${name} is not as described: ${what}`)
  const facts = await admitOnnx(graph)
  const known = facts.inputs.filter(input => inputNames.includes(input.name))
  const others = facts.inputs.filter(input => !known.includes(input))
  const tokens = known.find(input => input.name === 'input_ids')
  if (!tokens || others.length > 0)
    throw refuse(`its inputs are ${namesOf(facts.inputs)}; known are ${inputNames.join(', ')}`)
  const output = [tower.output, ...(tower.otherwise ?? [])].find(wanted =>
    facts.outputs.some(one => one.name === wanted),
  )
  if (output === undefined)
    throw refuse(`no output ${quoteForMessage(tower.output)}; there are ${namesOf(facts.outputs)}`)
  const width = facts.outputs.find(one => one.name === output)!.shape.at(-1)
  const [batch, length] = tokens.shape
  if (typeof batch === 'number' && batch !== 1)
    throw refuse(`it takes ${batch} texts at a time; known are any number and one`)
  const stated = await readTokenizerSettings(tokenizer, tokenizerConfig)
  const contextLength =
    typeof length === 'number' ? length : shortest(stated.length, tower.contextLength)
  const padding = stated.padding ?? tower.padding
  if (contextLength === undefined)
    throw refuse('nothing says how many tokens a text may have (model_max_length, contextLength)')
  if (padding === undefined)
    throw refuse('nothing says which token fills a text up (pad_token, padding)')
  if (stated.side === 'left')
    throw refuse('padding_side is left in its tokenizer_config.json; known is right')
  const hasMask = known.some(input => input.name === 'attention_mask')
  return {
    files: facts.files,
    text: {
      file: facts.files[0]!,
      output,
      tokenizer,
      contextLength,
      padding,
      // Without a mask a tower reads the padding, and was trained with it to the full length.
      padded: tower.padded === true || !hasMask || typeof length === 'number',
      mask: !hasMask ? 'none' : tower.padded === true ? 'ones' : 'length',
      lowercase: (tower.lowercase && !stated.isLowercasing) || undefined,
      tokenTypes: known.some(input => input.name === 'token_type_ids') || undefined,
      oneAtATime: batch === 1 || facts.isDynamicallyQuantized,
      integers: tokens.dtype === 'int32' ? 'int32' : 'int64',
      width: typeof width === 'number' ? width : undefined,
      logitScale: tower.logitScale,
      prompt: tower.prompt,
    },
  }
}

const inputNames: readonly string[] = ['input_ids', 'attention_mask', 'token_type_ids']

const namesOf = (values: readonly OnnxValue[]): string =>
  values.map(({ name }) => quoteForMessage(name)).join(', ') || 'none'

const shortest = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? (a ?? b) : Math.min(a, b)

/** Describes a text tower in one line of a result's key; `isUnscaled` of the results reads its end. */
export const describeTextTower = (tower: BoundTextTower): string =>
  `text ${tower.output}, ${tower.contextLength} tokens${tower.padded ? ' padded' : ''} with ${tower.padding}${tower.lowercase ? ', lower case' : ''}${tower.oneAtATime ? ', one text at a time' : ''}${tower.logitScale === null ? ', logit scale unknown' : ''}`

const tokenNameSchema = z.union([
  z.string(),
  z.object({ content: z.string() }).transform(one => one.content),
])
const tokenizerConfigSchema = z.object({
  model_max_length: z.number().optional().catch(undefined),
  pad_token: tokenNameSchema.optional().catch(undefined),
  padding_side: z.string().optional().catch(undefined),
})
const tokenizerSchema = z.object({
  added_tokens: z.array(z.object({ id: z.int(), content: z.string() })).catch([]),
  padding: z.object({ pad_id: z.int() }).nullish().catch(null),
  normalizer: z.unknown().optional(),
  model: z
    .object({
      vocab: z.union([z.record(z.string(), z.unknown()), z.array(z.unknown())]).optional(),
    })
    .catch({}),
})

/** Lengths above this mean that a tokenizer states none. */
const maxContextLength = 100_000

interface TokenizerFacts {
  /** The largest number of tokens of a text. */
  length?: number | undefined
  padding?: number | undefined
  side?: string | undefined
  isLowercasing: boolean
}

/** Returns what a tokenizer's files state about lengths, padding and case. */
async function readTokenizerSettings(
  file: string,
  configFile: string | undefined,
): Promise<TokenizerFacts> {
  const text = configFile === undefined ? '' : await readFile(configFile, 'utf8')
  const config = tokenizerConfigSchema.safeParse(parseJson(text)).data ?? {}
  const found = tokenizerSchema.safeParse(parseJson(await readFile(file, 'utf8'))).data
  const { model_max_length: most, pad_token: token } = config
  return {
    length: most !== undefined && most <= maxContextLength ? most : undefined,
    padding: (token === undefined ? undefined : tokenId(token, found)) ?? found?.padding?.pad_id,
    side: config.padding_side,
    isLowercasing: /"type":"Lowercase"|"lowercase":true/.test(
      JSON.stringify(found?.normalizer ?? null),
    ),
  }
}

function tokenId(
  token: string,
  tokenizer: z.infer<typeof tokenizerSchema> | undefined,
): number | undefined {
  const added = tokenizer?.added_tokens.find(({ content }) => content === token)
  if (added) return added.id
  const vocab = tokenizer?.model.vocab
  if (Array.isArray(vocab)) {
    const index = vocab.findIndex(entry => Array.isArray(entry) && entry[0] === token)
    return index < 0 ? undefined : index
  }
  const id = vocab && Object.hasOwn(vocab, token) ? vocab[token] : undefined
  return typeof id === 'number' ? id : undefined
}
