import { readTsv } from '../../lib/archive/tsv.ts'

/** One of ImageNet-1K's classes; its index is its position in wnid order. */
export interface ImageNetClass {
  wnid: string
  /** `ILSVRC2012_ID` of the development kit, 1 to 1,000, which is not in wnid order. */
  ilsvrcId: number
  /** Short name that is unique but for `missile` and `sunglasses` (open_clip's list). */
  name: string
  /** WordNet's lemmas of the synset, the first one is ImageNet's own short name; not unique. */
  synonyms: readonly string[]
}

/** The 1,000 classes in the order of class indices. */
export const imagenetClasses: readonly ImageNetClass[] = readTsv<keyof ImageNetClass>(
  new URL('./imagenet-1k.tsv', import.meta.url),
).map(row => ({
  ...row,
  ilsvrcId: Number(row.ilsvrcId),
  synonyms: row.synonyms.split(', '),
}))

/** Class names in the order of class indices, what `Dataset.classes` holds for ImageNet's label space. */
export const imagenetNames: readonly string[] = imagenetClasses.map(c => c.name)

export const imagenetWnids: readonly string[] = imagenetClasses.map(c => c.wnid)

const indexByWnid = new Map(imagenetWnids.map((wnid, index) => [wnid, index]))

/** Class index of a wnid (`n01440764` -> 0), undefined when it is not among the 1,000. */
export const indexOfWnid = (wnid: string): number | undefined => indexByWnid.get(wnid)
