import { unknownName } from '../errors.ts'
import { efficientNets } from './families/efficientnet.ts'
import { type Architecture } from './families/family.ts'
import { resnets } from './families/resnet.ts'
import { vits } from './families/vit.ts'

/** Every architecture under the name that its reference library gives it. */
export const architectures: Readonly<Record<string, Architecture>> = {
  ...resnets,
  ...efficientNets,
  ...vits,
}

export function architecture(name: string): Architecture {
  const known = architectures[name]
  if (!known) throw unknownName('model', name, Object.keys(architectures))
  return known
}
