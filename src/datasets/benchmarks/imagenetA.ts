import type { Benchmark } from './benchmark.ts'
import { isWnid, readWnidClasses, wnidFolderReader } from './wnidFolders.ts'

/** Natural adversarial examples, 200 classes (Hendrycks et al. 2021). */
export const imagenetA: Benchmark = {
  name: 'imagenet-a',
  title: 'ImageNet-A',
  kind: 'standard',
  terms: 'MIT (code and list); images belong to their photographers',
  source: 'https://github.com/hendrycks/natural-adv-examples',
  expectedCounts: () => ({ images: 7500, classes: 200 }),
  variants: ['masked'],
  howToGet:
    'imagenet-a.tar from the source page, as imagenet-a.tar or unpacked as imagenet-a/<wnid>/',
  downloads: [
    { url: 'https://people.eecs.berkeley.edu/~hendrycks/imagenet-a.tar', file: 'imagenet-a.tar' },
  ],
  candidatePaths: () => ['imagenet-a', 'ImageNet-A', 'imagenet-a.tar', 'imagenet-a.zip'],
  isRootEntry: isWnid,
  read: wnidFolderReader('imagenet-a', readWnidClasses('imagenet-a')),
}
