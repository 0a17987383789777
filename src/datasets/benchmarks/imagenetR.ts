import type { Benchmark } from './benchmark.ts'
import { isWnid, readWnidClasses, wnidFolderReader } from './wnidFolders.ts'

/** Renditions of 200 classes (Hendrycks et al. 2021). */
export const imagenetR: Benchmark = {
  name: 'imagenet-r',
  title: 'ImageNet-R',
  kind: 'standard',
  terms: 'MIT (code and list); images belong to their makers',
  source: 'https://github.com/hendrycks/imagenet-r',
  expectedCounts: () => ({ images: 30_000, classes: 200 }),
  variants: ['masked'],
  howToGet:
    'imagenet-r.tar from the source page, as imagenet-r.tar or unpacked as imagenet-r/<wnid>/',
  downloads: [
    { url: 'https://people.eecs.berkeley.edu/~hendrycks/imagenet-r.tar', file: 'imagenet-r.tar' },
  ],
  candidatePaths: () => ['imagenet-r', 'ImageNet-R', 'imagenet-r.tar', 'imagenet-r.zip'],
  isRootEntry: isWnid,
  read: wnidFolderReader('imagenet-r', readWnidClasses('imagenet-r')),
}
