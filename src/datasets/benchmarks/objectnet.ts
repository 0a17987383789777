import { dataError, inputError } from '../../lib/errors.ts'
import { sha256 } from '../../lib/hash.ts'
import type { Benchmark, ReadBenchmarkOptions } from './benchmark.ts'
import { acceptedClasses, type RawDataset } from '../build.ts'
import { classFolderSamples } from './classFolderSamples.ts'
import { originalLabelling, type Labelling } from '../labels/labelMap.ts'
import { imagenetSpace, normalizeLabel } from '../labels/labelSpace.ts'
import { readTreeText, type FileTree } from '../tree.ts'
import { refuseLabelMap } from './wnidFolders.ts'

/** Pixels that are cut from each side, as the paper's and wise-ft's code do, to remove the 1-pixel red border. */
const borderPixels = 2

/**
 * ObjectNet (Barbu et al. 2019), `images/<folder>/<file>.png` with the authors' own `mappings/`. Of its 313 classes the
 * 113 that overlap with ImageNet are scored. Two protocols: `authors`, as the paper's code has it, accepts the first
 * mapped ImageNet class only and masks nothing; `masked` accepts every mapped class and lets only mapped classes compete.
 */
export const objectnet: Benchmark = {
  name: 'objectnet',
  title: 'ObjectNet',
  kind: 'standard',
  terms:
    'CC BY 4.0 with two clauses more: ObjectNet may never be used to tune the parameters of any model; individual images may only be posted to the web including their 1 pixel red border',
  source: 'https://objectnet.dev/',
  expectedCounts: () => ({ images: 18_574, classes: 113 }),
  variants: ['authors', 'masked'],
  howToGet:
    'objectnet-1.0.zip from the source page, unpacked with the password given there, as objectnet-1.0/ with images/ and mappings/',
  downloads: [],
  hub: {
    name: 'hf:djghosh/wds_objectnet_test',
    difference:
      "DataComp's copy of the 113 classes that overlap with ImageNet; whether its images have the red border was not checked here",
  },
  candidatePaths: () => ['objectnet', 'objectnet-1.0'],
  isRootEntry: name =>
    ['mappings', 'images', 'objectnet_metadata', mappingFiles.labels].includes(name),
  marks: async root => ({ fits: await hasMapping(root) }),
  read: readObjectNet,
}

const hasMapping = async (tree: FileTree): Promise<boolean> => {
  for (const folder of mappingFolders)
    if (await tree.find(folder + mappingFiles.labels)) return true
  return false
}

async function readObjectNet(tree: FileTree, options: ReadBenchmarkOptions): Promise<RawDataset> {
  const mapping = await readMapping(tree)
  const scored = mapping.filter(({ classes }) => classes.length > 0)
  const rules =
    options.labels === 'original'
      ? originalLabelling(scored.map(({ label }) => label))
      : protocolLabelling(scored, options)
  const labelOf = new Map(mapping.map(({ folder, label }) => [folder, label]))
  const overlapping = new Set(scored.map(({ folder }) => folder))
  const entries = await (await findImages(tree)).list('')
  const inOverlap = entries.filter(({ path }) => {
    const folder = path.split('/')[0]!
    return overlapping.has(folder) || !labelOf.has(folder)
  })
  const { samples: items, problems } = classFolderSamples(inOverlap, folder =>
    rules.accepted(labelOf.get(folder) ?? ''),
  )
  const others = entries.length - inOverlap.length
  return {
    name: options.variant === 'authors' ? 'objectnet' : `objectnet/${options.variant}`,
    samples: items.map(item => ({ ...item, label: labelOf.get(item.label) ?? item.label })),
    problems,
    space: rules.space,
    labelMap: rules.labelMap,
    columns: [],
    imageFixes: { border: borderPixels, resize: true },
    notes: [`${others} images of classes that ImageNet does not have are not scored`],
    choices:
      options.variant === 'masked' && rules.space === imagenetSpace
        ? acceptedClasses(items)
        : undefined,
  }
}

interface ObjectNetClass {
  folder: string
  label: string
  /** ImageNet class indices in the authors' order; empty outside the overlap. */
  classes: readonly number[]
}

function protocolLabelling(
  scored: readonly ObjectNetClass[],
  options: ReadBenchmarkOptions,
): Labelling {
  refuseLabelMap('objectnet', options)
  const kept = scored.map(({ label, classes }): [string, readonly number[]] => [
    normalizeLabel(label),
    options.variant === 'authors' ? classes.slice(0, 1) : classes,
  ])
  const byLabel = new Map(kept)
  const map = {
    name: `objectnet-${options.variant}`,
    hash: sha256(JSON.stringify([...kept].sort())),
  }
  return {
    space: imagenetSpace,
    labelMap: map,
    accepted: label => byLabel.get(normalizeLabel(label)),
  }
}

/** The authors' mapping files: folder to label, label to ImageNet names, line to ImageNet name, class index to line. */
const mappingFiles = {
  labels: 'folder_to_objectnet_label.json',
  imagenet: 'objectnet_to_imagenet_1k.json',
  names: 'imagenet_to_label_2012_v2',
  lines: 'pytorch_to_imagenet_2012_id.json',
}

/** Where copies keep them: the archive, CLIP_benchmark, and wise-ft's sources. */
const mappingFolders = ['mappings/', '', 'objectnet_metadata/']

async function readMappingFile(tree: FileTree, name: string): Promise<string> {
  for (const folder of mappingFolders) {
    const text = await readTreeText(tree, folder + name)
    if (text !== undefined) return text
  }
  throw inputError(
    'missing-file',
    `ObjectNet in ${tree.location} lacks the mapping file ${name}; it comes with the archive of the source page: put mappings/ beside images/`,
  )
}

async function readMapping(tree: FileTree): Promise<ObjectNetClass[]> {
  const json = async <T>(name: string): Promise<T> =>
    JSON.parse(await readMappingFile(tree, name)) as T
  const labels = await json<Record<string, string>>(mappingFiles.labels)
  const imagenet = await json<Record<string, string>>(mappingFiles.imagenet)
  const lineOfIndex = await json<Record<string, number>>(mappingFiles.lines)
  const names = (await readMappingFile(tree, mappingFiles.names))
    .split('\n')
    .map(name => name.trim())
  const indexOfName = new Map(
    Object.entries(lineOfIndex).map(([index, line]) => [names[line], Number(index)]),
  )
  return Object.entries(labels).map(([folder, label]) => ({
    folder,
    label,
    classes: (imagenet[label]?.split('; ') ?? []).map(name => {
      const index = indexOfName.get(name)
      if (index === undefined)
        throw dataError('unknown-class', `unknown ImageNet name in ObjectNet's mappings: ${name}`)
      return index
    }),
  }))
}

/** Folders of the class folders: the archive's, and those in which CLIP_benchmark and wise-ft keep it. */
const imageFolders = ['images', 'objectnet-1.0/images', 'test/images', 'test']

async function findImages(tree: FileTree): Promise<FileTree> {
  for (const folder of imageFolders) {
    const images = tree.subtree(folder)
    if ((await images.topEntries().catch(() => [])).length > 0) return images
  }
  throw inputError(
    'missing-file',
    `ObjectNet in ${tree.location} lacks its images/; unpack the archive of the source page with its password`,
  )
}
