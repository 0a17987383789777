import { createPromiseCache } from '../../lib/memoize.ts'
import type { RawDataset } from '../build.ts'
import type { Problem, Sample } from '../dataset.ts'
import { imagenetSpace } from '../labels/labelSpace.ts'
import { openTree, type FileTree } from '../tree.ts'
import type { Benchmark, FileEvidence, ReadBenchmarkOptions } from './benchmark.ts'
import { classFolderSamples } from './classFolderSamples.ts'
import {
  imageNameEvidence,
  isWnid,
  labelsByWnid,
  refuseLabelMap,
  sampleImageNames,
} from './wnidFolders.ts'

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
 * images, which is the mean over all images; `imagenet-c/fog` and `imagenet-c/fog/3` are its parts.
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
  candidatePaths: () => ['imagenet-c'],
  isRootEntry: name =>
    corruptions.includes(name) || Object.hasOwn(corruptionFamilies, name.replace(/\.tar$/, '')),
  marks: imagenetCMarks,
  read: readImageNetC,
}

async function readImageNetC(tree: FileTree, options: ReadBenchmarkOptions): Promise<RawDataset> {
  refuseLabelMap('imagenet-c', options)
  const [wanted = 'all', severity] = options.variant.split('/')
  const parts = wanted === 'all' ? corruptions : [wanted]
  const levels = severity === undefined ? severities : [Number(severity)]
  const samples: Sample[] = []
  const problems: Problem[] = []
  const read: string[] = []
  for (const corruption of parts) {
    const root = await findCorruptionTree(tree, corruption)
    if (!root) {
      problems.push(missingPartProblem(corruption, tree))
      continue
    }
    for (const level of levels) {
      const part = await readSeverity(root, corruption, level)
      for (const sample of part.samples) samples.push(sample)
      for (const problem of part.problems) problems.push(problem)
      if (part.samples.length > 0) read.push(corruption)
    }
  }
  const name = `imagenet-c${options.variant === 'all' ? '' : `/${options.variant}`}`
  const partial = partialText(read, parts.length, levels.length)
  const missing = problems.flatMap(({ code, id }) => (code === 'missing-part' ? id : []))
  return {
    name: partial === undefined ? name : `${name} (${partial})`,
    samples,
    problems,
    space: imagenetSpace,
    columns: ['corruption', 'severity'],
    imageFixes: { border: 0, resize: false },
    notes:
      partial === undefined
        ? []
        : [`${partial} of ${name} are here; missing: ${missing.join(', ')}`],
  }
}

/** Says how much of a benchmark was read, for its name; undefined if all was. `read` has the corruption of each part. */
function partialText(read: readonly string[], wanted: number, levels: number): string | undefined {
  const found = new Set(read).size
  if (read.length === wanted * levels) return undefined
  return read.length === found * levels
    ? `${found} of ${wanted} corruptions`
    : `${read.length} of ${wanted * levels} corruptions and severities`
}

/**
 * Returns the tree that has a folder for the corruption: the root, the folder or archive of its family, or a folder in that
 * folder, as unpacking each archive into its own folder makes it.
 */
async function findCorruptionTree(
  tree: FileTree,
  corruption: string,
): Promise<FileTree | undefined> {
  const [family] = Object.entries(corruptionFamilies).find(([, members]) =>
    members.includes(corruption),
  )!
  for (const folder of ['', family, `${family}/${family}`]) {
    const below = folder === '' ? tree : tree.subtree(folder)
    if (await hasEntry(below, corruption)) return below
    const archive = await below.find(`${family}.tar`)
    if (archive?.source.kind !== 'file') continue
    const { file } = archive.source
    const inside = await openArchives.load(file, () => openTree(file))
    if (await hasEntry(inside, corruption)) return inside
    if (await hasEntry(inside.subtree(family), corruption)) return inside.subtree(family)
  }
  return undefined
}

const hasEntry = async (tree: FileTree, wanted: string): Promise<boolean> =>
  (await tree.topEntries().catch(() => [])).some(({ name }) => name === wanted)

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
  const { samples, problems } = classFolderSamples(entries, folder => acceptedLabels.get(folder))
  const full = (path: string): string => `${id}/${path}`
  return {
    samples: samples.map(sample => ({ ...sample, id: full(sample.id), groups })),
    problems: problems.map(problem => ({ ...problem, id: full(problem.id) })),
  }
}

const missingPartProblem = (id: string, { location: where }: FileTree): Problem => ({
  id,
  code: 'missing-part',
  message: `no images of ${id} in ${where}`,
})

/** Looks at the image names of the first corruption: other data sets have equal folders and images of other names. */
async function imagenetCMarks(root: FileTree): Promise<FileEvidence> {
  for (const corruption of corruptions) {
    const tree = await findCorruptionTree(root, corruption)
    const below = tree?.subtree(corruption)
    const [severity] = (await below?.topEntries().catch(() => [])) ?? []
    if (!below || !severity) continue
    const part = below.subtree(severity.name)
    const folders = (await part.topEntries()).map(({ name }) => name)
    const sampled = await sampleImageNames(part, folders.filter(isWnid))
    return imageNameEvidence(
      'imagenet-1k',
      sampled.map(({ name }) => name),
    )
  }
  return { fits: false }
}
