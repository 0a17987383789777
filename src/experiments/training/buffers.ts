/*
 * Parameters and optimizer state live in buffers that ONNX Runtime reads and writes where they are. A step writes the new
 * parameters into a second set, for the old ones are still read while it runs, and then the sets change places. Slots
 * keep their buffer: each is read once, by the node that makes its new value.
 */
import { type Tensor as Value } from 'onnxruntime-node'
import { inputError } from '../../lib/errors.ts'
import { type Optimizer } from '../../lib/onnx/optimizers.ts'
import { type NamedTensor } from '../../lib/tensors/safetensors.ts'
import { nextName, slotName } from './step.ts'

export type Feeds = Record<string, Value>

export interface TrainingBuffers {
  /** What an update reads: `step`, parameters, slots. */
  feeds(): Feeds
  /** Where it writes. */
  fetches(): Feeds
  /** Makes what the update wrote the current state. */
  commit(): void
  steps(): number
  parameters(): NamedTensor[]
  slots(): NamedTensor[]
}

/** Copies the starting values; slots that are not given start as zeros. */
export async function createBuffers(
  parameters: readonly NamedTensor[],
  optimizer: Optimizer,
  slots: readonly NamedTensor[] = [],
  steps = 0,
): Promise<TrainingBuffers> {
  let current = await shareMemory(parameters.map(cloneTensor))
  let spare = await shareMemory(parameters.map(zeroTensor))
  const kept = await shareMemory(startingSlots(parameters, optimizer, slots))
  const step = BigInt64Array.of(BigInt(steps))
  const { Tensor } = await import('onnxruntime-node')
  const stepValue = new Tensor('int64', step, [])
  return {
    feeds: () => {
      step[0] = BigInt(steps + 1)
      return { ...current.values, ...kept.values, step: stepValue }
    },
    fetches: () => ({ ...outputFeeds(spare.values), ...outputFeeds(kept.values) }),
    commit: () => {
      steps += 1
      ;[current, spare] = [spare, current]
    },
    steps: () => steps,
    parameters: () => current.tensors,
    slots: () => kept.tensors,
  }
}

/** The same buffers under the names of the outputs that write them. */
export const outputFeeds = (values: Feeds): Feeds =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [nextName(name), value]))

/** Tensors of ONNX Runtime over the same memory. */
export async function shareMemory(
  tensors: NamedTensor[],
): Promise<{ tensors: NamedTensor[]; values: Feeds }> {
  const { Tensor } = await import('onnxruntime-node')
  const values = tensors.map(
    ({ name, shape, data }) => [name, new Tensor('float32', data, [...shape])] as const,
  )
  return { tensors, values: Object.fromEntries(values) }
}

export const zeroTensor = ({ name, shape, data }: NamedTensor): NamedTensor => ({
  name,
  shape,
  data: new Float32Array(data.length),
})

const cloneTensor = (tensor: NamedTensor): NamedTensor => ({ ...tensor, data: tensor.data.slice() })

function startingSlots(
  parameters: readonly NamedTensor[],
  optimizer: Optimizer,
  given: readonly NamedTensor[],
): NamedTensor[] {
  const known = new Map(given.map(tensor => [tensor.name, tensor]))
  const needed = optimizer.slots.flatMap(slot =>
    parameters.map(parameter => zeroTensor({ ...parameter, name: slotName(slot, parameter.name) })),
  )
  if (known.size === 0) return needed
  return needed.map(({ name, shape }) => {
    const found = known.get(name)
    if (String(found?.shape) !== String(shape))
      throw inputError('bad-state', `no state ${name} [${String(shape)}]`)
    return cloneTensor(found!)
  })
}
