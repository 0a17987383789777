import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { graphOf, readGoldenFile } from '../../../scripts/conformanceCase.ts'
import { multiplyAdds, parameterCount } from '../../../src/lib/onnx/multiplyAdds.ts'
import { readTsv } from '../../../src/lib/archive/tsv.ts'
import { type Tensor } from '../../../src/lib/onnx/graph.ts'
import { volume } from '../../../src/lib/onnx/shapes.ts'
import { modelNames, resolveModel } from '../../../src/models/catalog.ts'
import { countCost, modelCost } from '../../../src/models/modelCost.ts'
import { architectures } from '../../../src/models/architectures.ts'
import { type DualEncoder } from '../../../src/models/families/family.ts'
import { shared, sharedPath } from '../../helpers/shared.ts'

const names = Object.keys(architectures)
const tags = readTsv<'model' | 'size' | 'parameters' | 'classes'>(
  new URL('../../../src/models/timmTags.tsv', import.meta.url),
)
/** One tag for each architecture, input size and head. */
const published = [
  ...new Map(
    tags.map(tag => [`${tag.model.split('.', 1)[0]!} ${tag.size} ${tag.classes}`, tag]),
  ).values(),
]
const architectureOf = (model: string): string => resolveModel(model).architecture
const sizes = new Map(published.map(({ model, size }) => [architectureOf(model), Number(size)]))

interface Facts {
  outputs: Map<string, Pick<Tensor, 'dtype' | 'shape'>>
  multiplyAdds: number
  parameters: number
  /** Values of the state that is not trained, with a counter for each running mean. */
  buffers: number
}

const built = new Map<string, Facts>()
/** What an architecture's graph has; each is built once. */
function factsOf(name: string, size: number, classes = 1000): Facts {
  const key = `${name} ${size} ${classes}`
  const known = built.get(key)
  if (known) return known
  const graph = graphOf(architectures[name]!, size, classes)
  const state = [...graph.parameters.values()].filter(({ role }) =>
    ['mean', 'variance', 'fixed'].includes(role),
  )
  const counters = state.filter(({ role }) => role === 'mean').length
  const facts = {
    outputs: new Map(
      Array.from(graph.outputs, ([output, { dtype, shape }]) => [output, { dtype, shape }]),
    ),
    multiplyAdds: multiplyAdds(graph),
    parameters: parameterCount(graph),
    buffers: sum(state.map(({ tensor }) => volume(tensor.shape))) + counters,
  }
  built.set(key, facts)
  return facts
}

describe('every architecture builds without weights', () => {
  it.each(names)('%s', name => {
    const architecture = architectures[name]!
    const { outputs, multiplyAdds } = factsOf(name, sizes.get(name) ?? 224)
    expect(multiplyAdds).toBeGreaterThan(1e7)
    if (architecture.kind === 'classifier') {
      expect(outputs.get('logits')!.shape).toEqual(['n', 1000])
      expect(outputs.get('logits')!.dtype).toBe('float32')
    } else {
      expect(outputs.get('image_embedding')!.shape).toEqual(['n', architecture.embeddingWidth])
      expect(outputs.get('text_embedding')!.shape).toEqual(['t', architecture.embeddingWidth])
    }
  })
})

/** Tags whose published number leaves the classifier out. */
const withoutClassifier = /^vit_so400m_patch14_siglip/

it('the table of costs has what the graphs count', () => {
  const sample = modelNames()
    .map(resolveModel)
    .filter((spec, i) => i % 12 === 0 && !spec.graph)
  expect(sample.map(modelCost)).toEqual(sample.map(countCost))
})

it('every architecture and size of a pretrained tag of timm builds with the published number of parameters', () => {
  const counts = published.map(({ model, size, classes }) => {
    const count = classes === '' ? 1000 : Number(classes)
    return { model, parameters: factsOf(architectureOf(model), Number(size), count).parameters }
  })
  expect(counts).toEqual(
    published.map(({ model, parameters, classes }) => {
      const head = classes === '' && withoutClassifier.test(model) ? 1000 * 1152 + 1000 : 0
      return { model, parameters: Number(parameters) + head }
    }),
  )
})

/** Parameters of CoCa's decoder of captions, which is left out: blocks of a width, half of which see the image. */
const decoderParameters = (width: number): number =>
  12 * (2 * (12 * width * width + 13 * width) + 2 * width) + 2 * width + 49_408 * width

it('every architecture of a pretrained tag of OpenCLIP builds with the published number of parameters', () => {
  const rows = readTsv<'tower' | 'size' | 'parameters'>(
    new URL('../../../src/models/openclipTags.tsv', import.meta.url),
  ).filter(({ parameters }) => parameters !== '')
  const different = [...new Map(rows.map(row => [row.tower, row])).values()]
  const counts = different.map(({ tower, size }) => {
    const architecture = architectures[`clip:${tower}`]! as DualEncoder
    const decoder = tower.startsWith('coca') ? decoderParameters(architecture.embeddingWidth) : 0
    return [tower, factsOf(`clip:${tower}`, Number(size)).parameters + decoder]
  })
  expect(counts).toEqual(different.map(row => [row.tower, Number(row.parameters)]))
})

describe.skipIf(!shared)(
  'parameters and buffers, counted as the reference library counts its state',
  () => {
    const golden = names
      .map(name => ({ name, file: sharedPath(`golden/models/${name.replace(':', '_')}.json`) }))
      .filter(({ file }) => existsSync(file))

    it.each(golden)('$name', ({ name, file }) => {
      const { params, tensors } = readGoldenFile(file)
      const architecture = architectures[name]!
      const ignored = tensors.filter(tensor =>
        architecture.names.ignore?.some(pattern => pattern.test(tensor.name)),
      )
      const { parameters, buffers } = factsOf(name, 224)
      expect(parameters + buffers + sum(ignored.map(({ shape }) => volume(shape)))).toBe(params)
    })
  },
)

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
