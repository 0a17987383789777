import type { Benchmark, ReadBenchmarkOptions } from './benchmark.ts'
import type { RawDataset } from '../build.ts'
import { classFolderSamples } from './classFolders.ts'
import { imagenetSpace } from '../labels/labels.ts'
import type { FileTree } from '../tree.ts'
import { refuseLabelMap } from './wnidFolders.ts'

/** The authors' file names; the paper uses matched-frequency. */
const fileByVariant: Record<string, string> = {
  'matched-frequency': 'imagenetv2-matched-frequency',
  'threshold-0.7': 'imagenetv2-threshold0.7',
  'top-images': 'imagenetv2-top-images',
}

const hubUrl = 'https://huggingface.co/datasets/vaishaal/ImageNetV2/resolve/main'

/** A new test set for ImageNet (Recht et al. 2019): folders are class indices, `0` to `999`. */
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
    const names = [`${file}-format-val`, file, `${file}.tar`, `${file}.zip`]
    return [...names, ...names.map(name => `imagenet-v2/${name}`)]
  },
  isRootEntry: name => /^\d{1,3}$/.test(name),
  read: readImageNetV2,
}

async function readImageNetV2(tree: FileTree, options: ReadBenchmarkOptions): Promise<RawDataset> {
  refuseLabelMap('imagenet-v2', options)
  const { samples: items, problems } = classFolderSamples(await tree.list(''), folder =>
    /^\d{1,3}$/.test(folder) ? [Number(folder)] : undefined,
  )
  return {
    name: `imagenet-v2/${options.variant}`,
    samples: items,
    problems,
    space: imagenetSpace,
    columns: [],
  }
}
