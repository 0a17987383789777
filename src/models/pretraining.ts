import { memoize } from '../lib/memoize.ts'
import { findModel } from './catalog.ts'
import { splitInputSize } from './inputSize.ts'
import { testbed } from './testbed.ts'

/** Data sets by the word that a tag of timm or OpenCLIP has for them; if a tag has several, the first row is used. */
const dataByWord: readonly (readonly [word: RegExp, data: string])[] = [
  [/laion_aesthetic|laiona/, 'LAION-Aesthetic'],
  [/laion5b/, 'LAION-5B'],
  [/laion2b/, 'LAION-2B'],
  [/laion400m/, 'LAION-400M'],
  [/openai/, 'WebImageText'],
  [/dfn|datacompdr/, 'DFN and DataComp'],
  [/datacomp|commonpool/, 'DataComp'],
  [/metaclip/, 'MetaCLIP'],
  [/webli/, 'WebLI'],
  [/merged2b/, 'Merged-2B'],
  [/m38m/, 'Merged-38M'],
  [/m30m/, 'Merged-30M'],
  [/cc12m/, 'CC12M'],
  [/yfcc15m/, 'YFCC15M'],
  [/yfcc100m/, 'YFCC100M'],
  [/lvd142m/, 'LVD-142M'],
  [/lvd1689m/, 'LVD-1689M'],
  [/sat493m/, 'SAT-493M'],
  [/swag/, 'Instagram-3.6B'],
  [/ig1b|wsl/, 'Instagram-1B'],
  [/jft/, 'JFT-300M'],
  [/in2[12]k|miil/, 'ImageNet-21k'],
  [/in12k/, 'ImageNet-12k'],
  [/in1k/, 'ImageNet-1k'],
]

/**
 * Returns the data set that a model was pretrained on, or trained on if it saw only one: as the testbed states it, or by the tag
 * in the model's name. Returns null if neither states it.
 *
 * @example
 * pretrainingData('vit_base_patch16_224.augreg2_in21k_ft_in1k') // 'ImageNet-21k'
 */
export const pretrainingData = memoize((model: string): string | null => {
  const [name] = splitInputSize(model)
  const spec = findModel(name)
  const row = testbed().find(one => one.model === (spec?.sizeOf ?? spec?.name ?? name))
  if (row) return row.pretraining
  const [, tag] = /[./]([^./]+)$/.exec(name) ?? []
  return dataByWord.find(([word]) => word.test(tag ?? ''))?.[1] ?? null
})
