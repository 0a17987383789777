/*
 * What half precision does to a real model's answers: every photograph by the model in fp32 and with weights and activations rounded as
 * float16 rounds them, by float32 arithmetic (Veltkamp's splitting), since a CPU's operators keep float32 between casts.
 *
 *   npx tsx bench/half.ts [MODEL@FILE, default the shared one]
 */
import { readFile } from 'node:fs/promises'
import {
  appendNode,
  createGraph,
  type Graph,
  addOutput,
  type Tensor,
} from '../src/lib/onnx/graph.ts'
import { encodeModel } from '../src/lib/onnx/encode.ts'
import { mul, sub } from '../src/lib/onnx/ops.ts'
import { createSession } from '../src/models/runtime/session.ts'
import { bindWeights } from '../src/lib/tensors/bindWeights.ts'
import { classifierGraph } from '../src/models/runtime/loadModel.ts'
import { loadModelSpec } from '../src/models/loadModelSpec.ts'
import { readWeights } from '../src/lib/tensors/readWeights.ts'
import { prepareModel } from '../src/models/runtime/prepareModel.ts'
import { createCropper } from '../src/lib/pixels/crop.ts'
import { nativeSteps } from '../src/lib/pixels/steps.ts'
import { photographs, printTable } from './common.ts'

const [name = 'tf_efficientnet_lite0@../shared/weights/tf_efficientnet_lite0/model.safetensors'] =
  process.argv.slice(2)

/** The nearest number of 11 binary digits; float16's limits in size are not imitated. */
function rounded(x: Tensor): Tensor {
  const scaled = mul(x, 2 ** 13 + 1)
  return sub(scaled, sub(scaled, x))
}

/** The graph with everything rounded that a parameter takes part in. */
function emulated(graph: Graph): Graph {
  const { inputs, constants, parameters, nameCount: count } = graph
  const made: Graph = { ...createGraph(), inputs, constants, parameters, nameCount: count }
  const known = new Map<string, Tensor>()
  const half = new Set(parameters.keys())
  const own = (tensor: Tensor): Tensor => known.get(tensor.name) ?? { ...tensor, graph: made }
  for (const { tensor } of parameters.values())
    known.set(tensor.name, rounded({ ...tensor, graph: made }))
  for (const { op, inputs, outputs, attributes } of graph.nodes) {
    const taken = inputs.map(tensor => tensor && own(tensor))
    const halves = inputs.some(tensor => tensor && half.has(tensor.name))
    for (const [i, result] of appendNode(op, taken, { outputs, attributes }).entries()) {
      const { name, dtype } = outputs[i]!
      if (halves && dtype === 'float32') half.add(name)
      known.set(name, half.has(name) ? rounded(result) : result)
    }
  }
  addOutput('logits', own(graph.outputs.get('logits')!))
  return made
}

const spec = await loadModelSpec(name)
const steps = nativeSteps(spec.recipe)
const { model } = await prepareModel(spec)
const graph = classifierGraph(model, steps)
const { folder, bind } = await bindWeights(graph, await Promise.all(model.files.map(readWeights)))
const sessions = await Promise.all(
  [graph, emulated(graph)].map(one =>
    createSession(encodeModel(one, { outputs: ['logits'], bind }), { folder }),
  ),
)
const { Tensor } = await import('onnxruntime-node')
const crop = await createCropper(steps)
const best = (values: Float32Array): number => values.indexOf(Math.max(...values))
let [images, same, worst] = [0, 0, 0]
for (const photo of await photographs()) {
  const crops = new Tensor('uint8', await crop(await readFile(photo)), [
    1,
    3,
    spec.recipe.size,
    spec.recipe.size,
  ])
  const [whole, half] = await Promise.all(
    sessions.map(async session => (await session.run({ crops })).logits!.data as Float32Array),
  )
  const mean = whole!.reduce((sum, value) => sum + value, 0) / whole!.length
  const deviation = Math.sqrt(
    whole!.reduce((sum, value) => sum + (value - mean) ** 2, 0) / whole!.length,
  )
  images += 1
  same += Number(best(whole!) === best(half!))
  worst = Math.max(worst, ...whole!.map((value, i) => Math.abs(value - half![i]!) / deviation))
}
await printTable(
  ['model', 'photographs', 'same first class', 'largest error, of the logits’ deviation'],
  [[spec.name, String(images), String(same), worst.toPrecision(2)]],
)
