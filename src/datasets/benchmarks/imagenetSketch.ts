import type { Benchmark } from './benchmark.ts'
import { isWnid, wnidFolderMarks, wnidFolderReader } from './wnidFolders.ts'

const name = 'imagenet-sketch'
const expected = { images: 50_889, classes: 1000 }

/** Black and white sketches of the 1,000 classes (Wang et al. 2019). */
export const imagenetSketch: Benchmark = {
  name,
  title: 'ImageNet-Sketch',
  kind: 'standard',
  terms: 'MIT (as the repository states); images belong to their makers',
  source: 'https://github.com/HaohanWang/ImageNet-Sketch',
  expectedCounts: () => expected,
  variants: ['all'],
  howToGet:
    'ImageNet-Sketch.zip through the link on the source page, as ImageNet-Sketch.zip or unpacked as sketch/<wnid>/',
  downloads: [],
  hub: {
    name: 'hf:djghosh/wds_imagenet_sketch_test',
    difference: "DataComp's copy as WebDataset shards",
  },
  candidatePaths: () => ['imagenet-sketch', 'sketch'],
  isRootEntry: isWnid,
  marks: root => wnidFolderMarks(root, { name, expected }),
  read: wnidFolderReader(name),
}
