import type { Benchmark } from './benchmark.ts'
import { isWnid, wnidFolderReader } from './wnidFolders.ts'

/** Black and white sketches of the 1,000 classes (Wang et al. 2019). */
export const imagenetSketch: Benchmark = {
  name: 'imagenet-sketch',
  title: 'ImageNet-Sketch',
  kind: 'standard',
  terms: 'research use; images belong to their makers',
  source: 'https://github.com/HaohanWang/ImageNet-Sketch',
  expectedCounts: () => ({ images: 50_889, classes: 1000 }),
  variants: ['all'],
  howToGet:
    'ImageNet-Sketch.zip through the link on the source page, as ImageNet-Sketch.zip or unpacked as sketch/<wnid>/',
  downloads: [],
  candidatePaths: () => [
    'imagenet-sketch',
    'ImageNet-Sketch',
    'sketch',
    'ImageNet-Sketch.zip',
    'imagenet-sketch.zip',
    'imagenet-sketch.tar',
  ],
  isRootEntry: isWnid,
  read: wnidFolderReader('imagenet-sketch'),
}
