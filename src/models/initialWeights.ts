import { createGraph, type Parameter, parameterScope } from '../lib/onnx/graph.ts'
import { volume } from '../lib/onnx/shapes.ts'
import { randomFor } from '../lib/random.ts'
import { findArchitecture } from './architectures.ts'
import { imageTower } from './towers.ts'
import { zeroShotClassifier } from './zeroShot/zeroShotHead.ts'
import { type NamedTensor } from '../lib/tensors/safetensors.ts'

/** Draws the untrained weights of an architecture: He's normal weights, identity normalization, zero biases. */
export function initialWeights(name: string, classes: number, seed: number): NamedTensor[] {
  const graph = createGraph()
  const known = findArchitecture(name)
  const classifier = known.kind === 'classifier' ? known : zeroShotClassifier(known)
  imageTower(parameterScope(graph), classifier, { size: 224, classes })
  return [...graph.parameters.values()].map(parameter => initialTensor(parameter, seed))
}

function initialTensor({ tensor, role }: Parameter, seed: number): NamedTensor {
  const shape = tensor.shape.map(Number)
  const data = new Float32Array(volume(shape))
  if (role === 'scale' || role === 'variance') data.fill(1)
  else if (role === 'weight') {
    const draw = randomFor(seed, tensor.name)
    const fan = shape.length > 1 ? volume(shape.slice(1)) : 1
    const deviation = Math.sqrt(2 / fan)
    for (let i = 0; i < data.length; i += 2) {
      const radius = deviation * Math.sqrt(-2 * Math.log(1 - draw()))
      const angle = 2 * Math.PI * draw()
      data[i] = radius * Math.cos(angle)
      if (i + 1 < data.length) data[i + 1] = radius * Math.sin(angle)
    }
  }
  return { name: tensor.name, shape, data }
}
