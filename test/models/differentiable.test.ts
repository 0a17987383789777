import { describe, expect, it } from 'vitest'
import { gradients } from '../../src/lib/onnx/gradient.ts'
import { createGraph, addInput, type Tensor, parameterScope } from '../../src/lib/onnx/graph.ts'
import { sum } from '../../src/lib/onnx/ops.ts'
import { type Architecture } from '../../src/models/families/family.ts'
import { architectures } from '../../src/models/architectures.ts'

/** Families whose operators all have gradient rules; pools, batch norms and depthwise convolutions have none. */
const families = new Set([
  'cait',
  'clip',
  'convit',
  'dinov2',
  'eva',
  'flava',
  'gmlp',
  'mixer',
  'naflexvit',
  'resmlp',
  'vit',
  'vit-relpos',
])
/** Transformers of these families behind overlapping convolutions, which have no gradient rule. */
const convolutional = /ViTamin|_mci_/
const transformers = Object.entries(architectures).filter(
  ([name, { family }]) =>
    families.has(family) &&
    /vit|mixer|mlp|cait|dinov2|eva|flava/i.test(name) &&
    !convolutional.test(name),
)

function logitsOf(model: Architecture): { result: Tensor; parameters: Tensor[] } {
  const graph = createGraph()
  const image = addInput(graph, 'image', { shape: ['n', 3, 224, 224] })
  const w = parameterScope(graph)
  const result =
    model.kind === 'classifier' ? model.build(w, image, 10).logits : model.encodeImage(w, image)
  return { result, parameters: Array.from(graph.parameters.values(), ({ tensor }) => tensor) }
}

describe('gradients of every parameter', () => {
  it('cover the transformer families', () => {
    expect(new Set(transformers.map(([, { family }]) => family))).toEqual(families)
  })

  it.each(transformers)('%s', (_, model) => {
    const { result, parameters } = logitsOf(model)
    const found = gradients(sum(result, [0, 1]), parameters)
    expect(found.map(({ shape }) => shape)).toEqual(parameters.map(({ shape }) => shape))
  })
})
