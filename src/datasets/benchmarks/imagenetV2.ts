import type { Benchmark, ReadOptions } from './benchmark.ts'
import type { Draft } from '../build.ts'
import { classFolderItems } from './classFolders.ts'
import { imagenetSpace } from '../labels/labels.ts'
import type { Tree } from '../tree.ts'
import { refuseLabelMap } from './wnidFolders.ts'

/** The authors' file names; the paper uses matched-frequency. */
const files: Record<string, string> = {
  'matched-frequency': 'imagenetv2-matched-frequency',
  'threshold-0.7': 'imagenetv2-threshold0.7',
  'top-images': 'imagenetv2-top-images',
}

const hub = 'https://huggingface.co/datasets/vaishaal/ImageNetV2/resolve/main'

/** A new test set for ImageNet (Recht et al. 2019): folders are class indices, `0` to `999`. */
export const imagenetV2: Benchmark = {
  name: 'imagenet-v2',
  title: 'ImageNet-V2',
  kind: 'standard',
  terms: 'MIT (code and list); images belong to their photographers',
  source: 'https://github.com/modestyachts/ImageNetV2',
  expected: () => ({ images: 10_000, classes: 1000, perClass: 10 }),
  variants: Object.keys(files),
  get: 'imagenetv2-….tar.gz from the source page, gunzipped to .tar or unpacked as imagenetv2-…-format-val/<class index>/',
  downloads: Object.values(files).map(file => ({ url: `${hub}/${file}.tar.gz`, file: `${file}.tar`, then: 'gunzip' })),
  places: variant => {
    const file = files[variant]!
    const names = [`${file}-format-val`, file, `${file}.tar`, `${file}.zip`]
    return [...names, ...names.map(name => `imagenet-v2/${name}`)]
  },
  marks: name => /^\d{1,3}$/.test(name),
  read: readV2,
}

async function readV2(tree: Tree, options: ReadOptions): Promise<Draft> {
  refuseLabelMap('imagenet-v2', options)
  const { items, problems } = classFolderItems(await tree.list(''), folder =>
    /^\d{1,3}$/.test(folder) ? [Number(folder)] : undefined,
  )
  return { name: `imagenet-v2/${options.variant}`, items, problems, space: imagenetSpace, columns: [] }
}
