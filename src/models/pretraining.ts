import { readTsv } from '../lib/archive/tsv.ts'
import { memoize } from '../lib/memoize.ts'
import { findModel } from './catalog.ts'
import { splitInputSize } from './inputSize.ts'
import { testbed } from './testbed.ts'

/** The data set that a model was pretrained on, or trained on if it saw only one. */
export interface Pretraining {
  data: string
  /** Its number of images, as its authors give it; null if they give none. Web collections are rounded. */
  images: number | null
}

interface PretrainingRow extends Pretraining {
  /** What the tags of timm and OpenCLIP call it. */
  tags: RegExp | null
}

let cachedRows: readonly PretrainingRow[] | undefined

/** The rows of pretraining.tsv. The first row that fits a tag is used, so the data set that is seen first is above the others. */
const pretrainingRows = (): readonly PretrainingRow[] =>
  (cachedRows ??= readTsv<'data' | 'images' | 'tags'>(
    new URL('./pretraining.tsv', import.meta.url),
  ).map(({ data, images, tags }) => ({
    data,
    images: images === '' ? null : Number(images),
    tags: tags === '' ? null : new RegExp(tags),
  })))

/**
 * Returns what a model was pretrained on: as the testbed states it, or by the tag in the model's name. Returns null if neither
 * states it.
 *
 * @example
 * findPretraining('vit_base_patch16_224.augreg2_in21k_ft_in1k') // { data: 'ImageNet-21k', images: 14197122 }
 */
export const findPretraining = memoize((model: string): Pretraining | null => {
  const [name] = splitInputSize(model)
  const spec = findModel(name)
  const full = spec?.sizeOf ?? spec?.name ?? name
  const stated = testbed().find(one => one.model === full)?.pretraining
  const [, tag = ''] = /[./]([^./]+)$/.exec(full) ?? []
  const row = pretrainingRows().find(({ data, tags }) =>
    stated === undefined ? tags?.test(tag) : data === stated,
  )
  return row?.data ? { data: row.data, images: row.images } : null
})
