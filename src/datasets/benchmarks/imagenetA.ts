import type { Benchmark } from './benchmark.ts'
import { isWnid, readWnidClasses, wnidFolderMarks, wnidFolderReader } from './wnidFolders.ts'

const name = 'imagenet-a'
const classes = readWnidClasses(name)
const expected = { images: 7500, classes: 200 }

/** Natural adversarial examples, 200 classes (Hendrycks et al. 2021). */
export const imagenetA: Benchmark = {
  name,
  title: 'ImageNet-A',
  kind: 'standard',
  terms: 'MIT (code and list); images belong to their photographers',
  source: 'https://github.com/hendrycks/natural-adv-examples',
  expectedCounts: () => expected,
  variants: ['masked'],
  howToGet:
    'imagenet-a.tar from the source page, as imagenet-a.tar or unpacked as imagenet-a/<wnid>/',
  downloads: [
    { url: 'https://people.eecs.berkeley.edu/~hendrycks/imagenet-a.tar', file: 'imagenet-a.tar' },
  ],
  candidatePaths: () => ['imagenet-a'],
  isRootEntry: isWnid,
  marks: root => wnidFolderMarks(root, { name, expected, classes }),
  read: wnidFolderReader(name, classes),
}
