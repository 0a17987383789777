/*
 * Holds parameters and optimizer state in buffers that ONNX Runtime reads and writes in place. A step writes the new parameters
 * to a second set of buffers, as it still reads the old ones, and then the sets are swapped. Each slot is read once, by the node
 * that computes its new value, and keeps its buffer.
 */
import { type Tensor as Value } from 'onnxruntime-node'
import { inputError } from '../../lib/errors.ts'
import { type Optimizer } from '../../lib/onnx/optimizers.ts'
import { type NamedTensor } from '../../lib/tensors/safetensors.ts'
import { nextName, slotName } from './step.ts'
import { loadOnnxRuntime } from '../../lib/onnx/runtime.ts'

export type Feeds = Record<string, Value>

/** The buffers of a training run. */
export interface TrainingBuffers {
  /** Returns the inputs of an update: `step`, parameters and slots. */
  feeds(): Feeds
  /** Returns the outputs of an update. */
  fetches(): Feeds
  /** Makes the outputs of the last update the current state. */
  commit(): void
  steps(): number
  parameters(): NamedTensor[]
  slots(): NamedTensor[]
}

/** The state that training starts from. */
export interface TrainingStart {
  /** Starting values of the trained parameters, which are copied. */
  parameters: readonly NamedTensor[]
  /** Optimizer state named `slot:parameter`. Default: zeros. */
  slots?: readonly NamedTensor[]
  /** Updates done before. Default 0. */
  steps?: number
}

/** Copies the starting values into buffers. Errors: bad-state. */
export async function createBuffers(
  { parameters, slots = [], steps: done = 0 }: TrainingStart,
  optimizer: Optimizer,
): Promise<TrainingBuffers> {
  let steps = done
  let current = await shareMemory(parameters.map(cloneTensor))
  let spare = await shareMemory(parameters.map(zeroTensor))
  const kept = await shareMemory(startingSlots(parameters, optimizer, slots))
  const step = BigInt64Array.of(BigInt(steps))
  const { Tensor } = await loadOnnxRuntime()
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

/** Returns buffers under the names of the outputs that write them. */
export const outputFeeds = (values: Feeds): Feeds =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [nextName(name), value]))

/** Creates tensors of ONNX Runtime on the memory of the given ones. */
export async function shareMemory(
  tensors: NamedTensor[],
): Promise<{ tensors: NamedTensor[]; values: Feeds }> {
  const { Tensor } = await loadOnnxRuntime()
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
