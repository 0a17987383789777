import { unknownName } from '../errors.ts'
import { dinos } from './families/dinov2.ts'
import { efficientNets } from './families/efficientnet.ts'
import { evas } from './families/eva.ts'
import { type Architecture } from './families/family.ts'
import { mixers } from './families/mixer.ts'
import { resnets } from './families/resnet.ts'
import { vits } from './families/vit.ts'

/** Every architecture under the name that its reference library gives it. */
export const architectures: Readonly<Record<string, Architecture>> = {
  ...resnets,
  ...efficientNets,
  ...vits,
  ...mixers,
  ...dinos,
  ...evas,
}

export function architecture(name: string): Architecture {
  const known = architectures[name]
  if (!known) throw unknownName('model', name, Object.keys(architectures))
  return known
}
