import { readTsv } from '../lib/archive/tsv.ts'

/** A row of the paper's testbed (appendix A) and the model that stands for it. */
export interface TestbedRow {
  /** The paper's name. */
  name: string
  /** The catalogue's name, with its tag. */
  model: string
  /** The paper's architecture group. */
  group: string
  evaluation: '1K' | 'zero-shot'
  /** The training data as the paper lists it. */
  listed: string
  /** The data set of the pretraining, or of the only training, and its number of images. */
  pretraining: string
  images: number
  /** Why this tag, if it is not today's default or the paper's table differs; else empty. */
  reason: string
}

/** The number of images of each training data set, as its authors give it; web collections are rounded. */
export const trainingImages: Readonly<Record<string, number>> = {
  'ImageNet-1k': 1_281_167,
  'ImageNet-21k': 14_197_122,
  'Stylized-ImageNet and ImageNet-1k': 2 * 1_281_167,
  CC12M: 12_423_374,
  YFCC15M: 14_829_396,
  PMD: 70_000_000,
  'LVD-142M': 142_000_000,
  WebImageText: 400_000_000,
  'LAION-400M': 413_000_000,
  'LAION-Aesthetic': 900_000_000,
  'Instagram-1B': 1_000_000_000,
  'LAION-2B': 2_320_000_000,
}

let cachedRows: readonly TestbedRow[] | undefined

/** Returns the 98 models of the paper in its order. */
export function testbed(): readonly TestbedRow[] {
  return (cachedRows ??= readTsv<
    'name' | 'model' | 'group' | 'evaluation' | 'listed' | 'pretraining' | 'reason'
  >(new URL('./testbed.tsv', import.meta.url)).map(({ evaluation, reason, ...row }) => ({
    ...row,
    evaluation: evaluation === 'zero-shot' ? 'zero-shot' : '1K',
    images: trainingImages[row.pretraining]!,
    reason,
  })))
}

/** Returns the catalogue's name of a model of the paper's testbed. */
export const testbedModel = (name: string): string =>
  testbed().find(row => row.name === name)!.model
