/**
 * Tiny foreign ONNX encoders of images and texts: an image becomes its mean colours and a text the sum of its words' rows, so
 * that the text `red` goes with red images.
 */
import { createGraph, addInput, addOutput, constant } from '../../../src/lib/onnx/graph.ts'
import { encodeModel } from '../../../src/lib/onnx/encode.ts'
import { add, gather, mean, mul, sum } from '../../../src/lib/onnx/ops.ts'
import { tokenizerStart } from '../zeroShot/wordPiece.ts'

export const words = [
  '[PAD]',
  '[UNK]',
  '[END]',
  'red',
  'green',
  'blue',
  'a',
  'photo',
  'of',
  'rojo',
  'verde',
  'azul',
]
const rows = [
  [0.3, -0.3, 0],
  [0, 0, 0],
  [0.01, 0.01, 0.01],
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
  [0.02, 0.02, 0.02],
  [0.02, 0.02, 0.02],
  [0.02, 0.02, 0.02],
  [1, 0, 0],
  // A word that the tower learned wrongly.
  [0.1, -0.1, 0.1],
  [0, 0, 1],
]

/** The bytes of `pixel_values` -> mean colours [n, 3], brought to the output's name. */
export function imageTowerBytes(output: string): Uint8Array {
  const graph = createGraph()
  const pixels = addInput(graph, 'pixel_values', { shape: ['n', 3, 'h', 'w'] })
  addOutput(output, mean(pixels, [2, 3]))
  return encodeModel(graph, {})
}

export interface TextForm {
  output: string
  /** Whether the graph takes a mask, and leaves out what it hides; else it reads the padding too. */
  mask?: boolean
  /** Whether it takes the kinds of tokens too, all of which are 0. */
  types?: boolean
  length?: number | string
  columns?: number
}

/** The bytes of `input_ids` -> sums of the words' rows [t, 3]. */
export function textTowerBytes({
  output,
  mask = false,
  types = false,
  length = 'l',
  columns = 3,
}: TextForm): Uint8Array {
  const graph = createGraph()
  const shape = ['t', length]
  const ids = addInput(graph, 'input_ids', { dtype: 'int64', shape })
  // With a mask what it hides becomes the first row, which then is zeros.
  const values = rows.flatMap((row, id) =>
    row.slice(0, columns).map(value => (mask && id === 0 ? 0 : value)),
  )
  const table = constant(graph, Float32Array.from(values), [rows.length, columns])
  const seen = mask ? mul(ids, addInput(graph, 'attention_mask', { dtype: 'int64', shape })) : ids
  const kinds = types ? [addInput(graph, 'token_type_ids', { dtype: 'int64', shape })] : []
  addOutput(output, sum(gather(table, kinds.reduce(add, seen)), [1]))
  return encodeModel(graph, {})
}

/** A tokenizer.json of whole words with an end token. */
export const dualTokenizer = JSON.stringify({
  ...tokenizerStart(words.slice(0, 3)),
  normalizer: { type: 'Lowercase' },
  pre_tokenizer: { type: 'Whitespace' },
  post_processor: {
    type: 'TemplateProcessing',
    single: [{ Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '[END]', type_id: 0 } }],
    pair: [],
    special_tokens: { '[END]': { id: '[END]', ids: [2], tokens: ['[END]'] } },
  },
  decoder: null,
  model: {
    type: 'WordLevel',
    vocab: Object.fromEntries(words.map((word, id) => [word, id])),
    unk_token: '[UNK]',
  },
})
