/*
 * Kept outputs: what a model gave for each image of a shard, beside the shard's predictions, so that other labels, choices
 * or prompts are scored without the model. Features are float32. Logits are float16 relative to the row's median; where
 * rounding would make two different logits equal or swap them, the lower one takes the next lower float16, so that every
 * ranking of any classes is the one of the float32 logits.
 */
import { readSafetensors, writeSafetensors } from '../lib/tensors/safetensors.ts'
import { readTensor } from '../lib/tensors/tensors.ts'
import { type KeptOutput } from './schema.ts'

/** `values` float32 [rows × width], rows of images without a prediction anything. */
export async function writeKeptOutputs(
  file: string,
  output: KeptOutput,
  values: Float32Array,
  rows: number,
): Promise<void> {
  const shape = [rows, values.length / rows]
  const named = { name: output, shape }
  const packed = output === 'logits' && { ...named, data: packRows(values, values.length / rows) }
  await writeSafetensors(file, [packed || { ...named, data: values }])
}

/** float32 [rows × width]; logits are relative to each row's median, which neither ranks nor probabilities feel. */
export async function readKeptOutputs(
  file: string,
  output: KeptOutput,
): Promise<{ values: Float32Array; width: number }> {
  const { tensors } = await readSafetensors(file)
  const entry = tensors.get(output)!
  return { values: (await readTensor(entry)) as Float32Array, width: entry.shape[1]! }
}

function packRows(values: Float32Array, width: number): Uint16Array {
  const halves = new Uint16Array(values.length)
  for (let at = 0; at < values.length; at += width)
    packRow(values.subarray(at, at + width), halves.subarray(at, at + width))
  return halves
}

const lowestStep = -0x7c00

function packRow(row: Float32Array, halves: Uint16Array): void {
  const order = Uint32Array.from(row.keys())
    .filter(i => !Number.isNaN(row[i]))
    .sort((a, b) => row[b]! - row[a]!)
  const middle = row[order[order.length >> 1] ?? 0]!
  const center = Number.isFinite(middle) ? middle : 0
  halves.fill(0x7e00)
  let [above, step] = [NaN, -lowestStep + 1]
  for (const i of order) {
    const value = row[i]!
    if (value !== above)
      step = Math.max(lowestStep, Math.min(float16Step(value - center), step - 1))
    halves[i] = step < 0 ? 0x8000 - step : step
    above = value
  }
}

/** The float16 nearest to `value` as its place among all of them: 0 for 0, -1 for the next one below. */
function float16Step(value: number): number {
  const size = Math.abs(value)
  if (size >= 65520) return value < 0 ? lowestStep : -lowestStep
  const exponent = Math.max(-14, Math.floor(Math.log2(size)))
  const steps = Math.round(size * 2 ** (10 - exponent)) + (exponent + 14) * 1024
  return value < 0 ? -steps : steps
}
