import type { Benchmark } from './benchmark.ts'
import { isWnid, readWnidClasses, wnidFolderMarks, wnidFolderReader } from './wnidFolders.ts'

const name = 'imagenet-r'
const classes = readWnidClasses(name)
const expected = { images: 30_000, classes: 200 }

/** Renditions of 200 classes (Hendrycks et al. 2021). */
export const imagenetR: Benchmark = {
  name,
  title: 'ImageNet-R',
  kind: 'standard',
  terms: 'MIT (code and list); images belong to their makers',
  source: 'https://github.com/hendrycks/imagenet-r',
  expectedCounts: () => expected,
  variants: ['masked'],
  howToGet:
    'imagenet-r.tar from the source page, as imagenet-r.tar or unpacked as imagenet-r/<wnid>/',
  downloads: [
    { url: 'https://people.eecs.berkeley.edu/~hendrycks/imagenet-r.tar', file: 'imagenet-r.tar' },
  ],
  candidatePaths: () => ['imagenet-r'],
  isRootEntry: isWnid,
  marks: root => wnidFolderMarks(root, { name, expected, classes }),
  read: wnidFolderReader(name, classes),
}
