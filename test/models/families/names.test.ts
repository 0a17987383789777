import { expect, it } from 'vitest'
import { graphOf } from '../../../scripts/conformanceCase.ts'
import { renamed } from '../../../src/lib/tensors/otherLibraries.ts'
import { architectures } from '../../../src/models/architectures.ts'

it.each([
  ['poolformer_s12', 'patch_embed.proj.weight'],
  ['poolformer_s12', 'network.0.1.mlp.fc1.weight'],
  ['poolformer_s12', 'network.0.0.layer_scale_1'],
  ['poolformer_s12', 'network.5.proj.bias'],
  ['poolformer_s12', 'network.6.1.layer_scale_2'],
  ['poolformer_s12', 'norm.weight'],
  ['poolformer_s12', 'head.bias'],
  ['hiera_tiny_224', 'head.projection.weight'],
  ['hiera_tiny_224', 'encoder_norm.weight'],
  ['hiera_small_abswin_256', 'pos_embed_abs'],
])('%s takes the name %s of older checkpoints', (architecture, name) => {
  const size = architecture.endsWith('256') ? 256 : 224
  const { names } = architectures[architecture]!
  const { parameters } = graphOf(architectures[architecture]!, size)
  expect(parameters.has(name)).toBe(false)
  expect([...parameters.keys()]).toContain(renamed(name, names.rename!))
})
