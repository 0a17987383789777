/*
 * Kept outputs: what a model gave for each image of a shard, beside the shard's predictions, so that other labels, choices
 * or prompts are scored without the model. Features are float32. Logits are float16 relative to the row's median; if
 * rounding would make two different logits equal or swap them, the lower one takes the next lower float16, so that every
 * ranking of any classes is the one of the float32 logits.
 */
import { readSafetensors, writeSafetensors } from '../lib/tensors/safetensors.ts'
import { readTensor } from '../lib/tensors/tensors.ts'
import { type KeptOutput } from './schema.ts'

/** float32 [rows × width]; stored logits are relative to each row's median, which changes neither ranks nor probabilities. */
export interface KeptValues {
  values: Float32Array
  width: number
}

/** Writes the kept output of a shard. Rows of images without a prediction may hold anything. */
export async function writeKeptOutputs(
  file: string,
  output: KeptOutput,
  { values, width }: KeptValues,
): Promise<void> {
  const tensor = { name: output, shape: [values.length / width, width] }
  await writeSafetensors(file, [
    output === 'logits'
      ? { ...tensor, data: packRows(values, width) }
      : { ...tensor, data: values },
  ])
}

/** Reads the kept output of a shard. */
export async function readKeptOutputs(file: string, output: KeptOutput): Promise<KeptValues> {
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
  let above = NaN
  let step = -lowestStep + 1
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
