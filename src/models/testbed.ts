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
  /** What the weights saw first, or only, and its size in images. */
  pretraining: string
  images: number
  /** Why this tag, where it is not today's default, and where the paper's table says otherwise. */
  reason?: string
}

/** Images of each data set, as its authors count them; web collections are rounded. */
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

/** The 98 models of the paper in its order. */
export function testbed(): readonly TestbedRow[] {
  return (cachedRows ??= readTsv<
    'name' | 'model' | 'group' | 'evaluation' | 'listed' | 'pretraining' | 'reason'
  >(new URL('./testbed.tsv', import.meta.url)).map(({ evaluation, reason, ...row }) => ({
    ...row,
    evaluation: evaluation === 'zero-shot' ? 'zero-shot' : '1K',
    images: trainingImages[row.pretraining]!,
    ...(reason !== '' && { reason }),
  })))
}

/** The catalogue's name of a row of the paper's testbed. */
export const testbedModel = (name: string): string =>
  testbed().find(row => row.name === name)!.model
