import type { Benchmark, ReadBenchmarkOptions } from './benchmark.ts'
import type { RawDataset } from '../build.ts'
import { classFolderSamples } from './classFolders.ts'
import type { Sample, Problem } from '../dataset.ts'
import { createPromiseCache } from '../../lib/memoize.ts'
import { imagenetSpace } from '../labels/labels.ts'
import { openTree, type FileTree } from '../tree.ts'
import { labelsByWnid, refuseLabelMap } from './wnidFolders.ts'

/** The four archives of the authors and the corruptions in each; `extra.tar` holds four more that do not count. */
const corruptionFamilies: Record<string, readonly string[]> = {
  noise: ['gaussian_noise', 'shot_noise', 'impulse_noise'],
  blur: ['defocus_blur', 'glass_blur', 'motion_blur', 'zoom_blur'],
  weather: ['snow', 'frost', 'fog', 'brightness'],
  digital: ['contrast', 'elastic_transform', 'pixelate', 'jpeg_compression'],
}

/** As the source page states them. */
const md5ByFamily: Record<string, string> = {
  noise: 'e80562d7f6c3f8834afb1ecf27252745',
  blur: '2d8e81fdd8e07fef67b9334fa635e45c',
  weather: '33ffea4db4d93fe4a428c40a6ce0c25d',
  digital: '89157860d7b10d5797849337ca2e5c03',
}

export const corruptions: readonly string[] = Object.values(corruptionFamilies).flat()
const severities: readonly number[] = [1, 2, 3, 4, 5]

/**
 * 15 corruptions of the validation images at 5 severities (Hendrycks and Dietterich 2019), `<corruption>/<severity>/
 * <wnid>/<file>`, already 224 x 224: neither resized nor cropped. Its score is the mean of 75 accuracies of equally many
 * images, so the mean over all images; `imagenet-c/fog` and `imagenet-c/fog/3` are its parts.
 */
export const imagenetC: Benchmark = {
  name: 'imagenet-c',
  title: 'ImageNet-C',
  kind: 'standard',
  terms: 'CC BY 4.0',
  source: 'https://zenodo.org/record/2235448',
  expectedCounts: variant => {
    const perClass = 50 * (variant === 'all' ? 75 : variant.includes('/') ? 1 : 5)
    return { images: 1000 * perClass, classes: 1000, perClass }
  },
  variants: [
    'all',
    ...corruptions.flatMap(name => [name, ...severities.map(severity => `${name}/${severity}`)]),
  ],
  howToGet:
    'noise.tar, blur.tar, weather.tar and digital.tar from the source page into imagenet-c/, as they are or unpacked',
  downloads: Object.keys(corruptionFamilies).map(family => ({
    url: `https://zenodo.org/record/2235448/files/${family}.tar`,
    file: `imagenet-c/${family}.tar`,
    md5: md5ByFamily[family]!,
  })),
  candidatePaths: () => ['imagenet-c', 'ImageNet-C'],
  isRootEntry: name =>
    corruptions.includes(name) || name.replace(/\.tar$/, '') in corruptionFamilies,
  read: readImageNetC,
}

async function readImageNetC(tree: FileTree, options: ReadBenchmarkOptions): Promise<RawDataset> {
  refuseLabelMap('imagenet-c', options)
  const [wanted, severity] = options.variant.split('/')
  const parts = wanted === 'all' ? corruptions : [wanted!]
  const items: Sample[] = []
  const problems: Problem[] = []
  for (const corruption of parts) {
    const root = await findCorruptionTree(tree, corruption)
    if (!root) {
      problems.push(missingPartProblem(corruption, tree))
      continue
    }
    for (const level of severity === undefined ? severities : [Number(severity)]) {
      const part = await readSeverity(root, corruption, level)
      for (const item of part.samples) items.push(item)
      problems.push(...part.problems)
    }
  }
  const name = `imagenet-c${options.variant === 'all' ? '' : `/${options.variant}`}`
  const prepare = { border: 0, resize: false }
  return {
    name,
    samples: items,
    problems,
    space: imagenetSpace,
    columns: ['corruption', 'severity'],
    imageFixes: prepare,
  }
}

/** The tree that has a folder for the corruption: the folder itself, or the archive of its family. */
async function findCorruptionTree(
  tree: FileTree,
  corruption: string,
): Promise<FileTree | undefined> {
  if ((await tree.topEntries()).some(({ name }) => name === corruption)) return tree
  const [family] = Object.entries(corruptionFamilies).find(([, members]) =>
    members.includes(corruption),
  )!
  const archive = await tree.find(`${family}.tar`)
  if (archive?.source.kind !== 'file') return undefined
  const { file } = archive.source
  const inside = await openArchives.load(file, () => openTree(file))
  return (await inside.topEntries()).some(({ name }) => name === corruption) ? inside : undefined
}

/** The corruptions of a family follow each other, so one index is kept while they are read. */
const openArchives = createPromiseCache<FileTree>(1)

const acceptedLabels = labelsByWnid()

async function readSeverity(
  root: FileTree,
  corruption: string,
  severity: number,
): Promise<{ samples: Sample[]; problems: Problem[] }> {
  const id = `${corruption}/${severity}`
  const entries = await root
    .subtree(id)
    .list('')
    .catch(() => [])
  if (entries.length === 0) return { samples: [], problems: [missingPartProblem(id, root)] }
  const groups = { corruption, severity }
  const { samples: items, problems } = classFolderSamples(entries, folder =>
    acceptedLabels.get(folder),
  )
  const full = (path: string): string => `${id}/${path}`
  return {
    samples: items.map(item => ({ ...item, id: full(item.id), groups })),
    problems: problems.map(problem => ({ ...problem, id: full(problem.id) })),
  }
}

const missingPartProblem = (id: string, { location: where }: FileTree): Problem => ({
  id,
  code: 'missing-part',
  message: `no images of ${id} in ${where}`,
})
