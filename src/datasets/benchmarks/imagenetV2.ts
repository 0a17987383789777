import { readTsv } from '../../lib/archive/tsv.ts'
import { indexOfWnid } from '../labels/imagenet.ts'
import { imagenetSpace } from '../labels/labelSpace.ts'
import type { FileTree } from '../tree.ts'
import type { Benchmark, FileEvidence } from './benchmark.ts'
import { classFolderSamples } from './classFolderSamples.ts'
import { imageNameEvidence, isWnid, refuseLabelMap, sampleImageNames } from './wnidFolders.ts'

/** The authors' file names; the paper uses matched-frequency. */
const fileByVariant: Record<string, string> = {
  'matched-frequency': 'imagenetv2-matched-frequency',
  'threshold-0.7': 'imagenetv2-threshold0.7',
  'top-images': 'imagenetv2-top-images',
}

const hubUrl = 'https://huggingface.co/datasets/vaishaal/ImageNetV2/resolve/main'

const isClassFolder = (name: string): boolean => /^\d{1,4}$/.test(name) || isWnid(name)

/** Returns the class index of a folder that is named by index or, in copies that were renamed, by wnid. */
const folderIndex = (folder: string): number | undefined =>
  /^\d{1,4}$/.test(folder) && Number(folder) < 1000 ? Number(folder) : indexOfWnid(folder)

/** A new test set for ImageNet (Recht et al. 2019): folders are class indices, `0` to `999`, or wnids. */
export const imagenetV2: Benchmark = {
  name: 'imagenet-v2',
  title: 'ImageNet-V2',
  kind: 'standard',
  terms: 'MIT (code and list); images belong to their photographers',
  source: 'https://github.com/modestyachts/ImageNetV2',
  expectedCounts: () => ({ images: 10_000, classes: 1000, perClass: 10 }),
  variants: Object.keys(fileByVariant),
  howToGet:
    'imagenetv2-….tar.gz from the source page, gunzipped to .tar or unpacked as imagenetv2-…-format-val/<class index>/',
  downloads: Object.values(fileByVariant).map(file => ({
    url: `${hubUrl}/${file}.tar.gz`,
    file: `${file}.tar`,
    then: 'gunzip',
  })),
  candidatePaths: variant => {
    const file = fileByVariant[variant]!
    // The paper's download script renames its copy of this variant to `imagenet-v2/test`.
    const ofPaper = variant === 'matched-frequency' ? ['imagenet-v2/test', 'imagenetv2/test'] : []
    return [`${file}-format-val`, file, ...ofPaper]
  },
  isRootEntry: isClassFolder,
  marks: imagenetV2Marks,
  read: async (tree, options) => {
    refuseLabelMap('imagenet-v2', options)
    const found = classFolderSamples(await tree.list(''), folder => {
      const index = folderIndex(folder)
      return index === undefined ? undefined : [index]
    })
    return {
      name: `imagenet-v2/${options.variant}`,
      ...found,
      space: imagenetSpace,
      columns: [],
    }
  },
}

/** First digits of the image ids that some classes have in each variant. */
const shippedIds = readTsv<'variant' | 'wnid' | 'ids'>(
  new URL('../labels/imagenet-v2.tsv', import.meta.url),
).map(({ variant, wnid, ids }) => ({
  variant,
  index: indexOfWnid(wnid)!,
  ids: new Set(ids.split(' ')),
}))

/** The three variants have equal layouts and share images, so only the ids of some classes tell them apart. */
async function imagenetV2Marks(root: FileTree, variant: string): Promise<FileEvidence> {
  const folders = (await root.topEntries())
    .filter(({ name, isFolder }) => isFolder && isClassFolder(name))
    .map(({ name }) => name)
  const sampled = await sampleImageNames(root, folders)
  const byName = imageNameEvidence(
    'imagenet-v2',
    sampled.map(({ name }) => name),
  )
  if (byName.contradiction !== undefined) return byName
  const known = { own: 0, others: 0, strange: 0 }
  for (const folder of folders) {
    const lists = shippedIds.filter(({ index }) => index === folderIndex(folder))
    if (lists.length === 0) continue
    for (const { name } of await root.subtree(folder).topEntries()) {
      const variants = lists.filter(({ ids }) => ids.has(name.slice(0, 10)))
      if (variants.some(list => list.variant === variant)) known.own++
      else if (variants.length > 0) known.others++
      else known.strange++
    }
  }
  if (known.others > 0)
    return { fits: false, contradiction: `${known.others} of its images are of another variant` }
  const isWhole = known.own === 10 * shippedIds.filter(list => list.variant === variant).length
  return { fits: isWhole && known.strange === 0 }
}
