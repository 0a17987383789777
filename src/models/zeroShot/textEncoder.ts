/* Towers that embed texts, and the one of a foreign ONNX file; `zeroShotHead.ts` builds those of checkpoints. */
import { type InferenceSession, type Tensor as OrtTensor } from 'onnxruntime-node'
import { type TokenizerSettings } from '../families/family.ts'
import { type BoundTextTower } from '../spec.ts'
import { createSession, type SessionOptions } from '../runtime/session.ts'
import { padTokens } from './tokenizer.ts'
import { loadOnnxRuntime } from '../../lib/onnx/runtime.ts'

/** A tower that embeds texts. */
export interface TextEncoder {
  tokenizer: TokenizerSettings
  open: (options: SessionOptions) => Promise<TextSession>
}

export interface TextSession {
  /** Rows of token ids, padded to `length` tokens, to unit embeddings, one row after the other. */
  embed: (rows: readonly number[][], length: number) => Promise<Float32Array>
  release: () => Promise<void>
}

/** Returns a foreign text tower as an encoder. */
export function foreignTextEncoder(tower: BoundTextTower): TextEncoder {
  const { contextLength, padding, padded, lowercase } = tower
  return {
    tokenizer: { contextLength, padding, padded, cleaning: lowercase ? 'case' : 'none' },
    open: async options => {
      const session = await createSession(tower.file, options)
      return {
        embed: (rows, length) => embedRows(session, rows, { tower, length }),
        release: () => session.release(),
      }
    },
  }
}

async function embedRows(
  session: InferenceSession,
  rows: readonly number[][],
  { tower, length }: { tower: BoundTextTower; length: number },
): Promise<Float32Array> {
  if (tower.oneAtATime && rows.length > 1) {
    const parts: Float32Array[] = []
    for (const row of rows) parts.push(await embedRows(session, [row], { tower, length }))
    return Float32Array.from(parts.flatMap(part => [...part]))
  }
  const { Tensor } = await loadOnnxRuntime()
  const shape = [rows.length, length]
  const tensor = (values: BigInt64Array): OrtTensor =>
    tower.integers === 'int64'
      ? new Tensor('int64', values, shape)
      : new Tensor('int32', Int32Array.from(values, Number), shape)
  const { tokens } = padTokens(rows, { length, padding: tower.padding })
  const feeds: Record<string, OrtTensor> = { input_ids: tensor(tokens) }
  if (tower.tokenTypes) feeds['token_type_ids'] = tensor(new BigInt64Array(rows.length * length))
  if (tower.mask !== 'none') {
    const mask = new BigInt64Array(rows.length * length)
    for (const [i, row] of rows.entries())
      mask.fill(1n, i * length, i * length + (tower.mask === 'ones' ? length : row.length))
    feeds['attention_mask'] = tensor(mask)
  }
  const { [tower.output]: output } = await session.run(feeds, [tower.output])
  return scaleRowsToUnit(Float32Array.from(output!.data as Float32Array), rows.length)
}

/** Scales `count` rows to unit length, in place. */
export function scaleRowsToUnit(values: Float32Array, count: number): Float32Array {
  const width = values.length / count
  for (let start = 0; start < values.length; start += width) {
    const row = values.subarray(start, start + width)
    const length = Math.hypot(...row)
    for (let i = 0; i < width; i++) row[i]! /= length
  }
  return values
}
