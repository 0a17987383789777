import { GeogapError } from '../../lib/errors.ts'
import { sha256 } from '../../lib/hash.ts'
import type { Benchmark, ReadBenchmarkOptions } from './benchmark.ts'
import { acceptedClasses, type RawDataset } from '../build.ts'
import { classFolderSamples } from './classFolders.ts'
import { originalLabelling, type Labelling } from '../labels/labelMap.ts'
import { imagenetSpace, normalizeLabel } from '../labels/labels.ts'
import { readEntry, type FileTree } from '../tree.ts'
import { refuseLabelMap } from './wnidFolders.ts'

/** Pixels of the red frame that every image has; the terms ask to remove it. */
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
    'CC BY 4.0, never for training or tuning; the red border must be removed before use (it is)',
  source: 'https://objectnet.dev/',
  expectedCounts: () => ({ images: 18_574, classes: 113 }),
  variants: ['authors', 'masked'],
  howToGet:
    'objectnet-1.0.zip from the source page, unpacked with the password given there, as objectnet-1.0/ with images/ and mappings/',
  downloads: [],
  candidatePaths: () => [
    'objectnet',
    'objectnet-1.0',
    'ObjectNet',
    'objectnet.tar',
    'objectnet-1.0.tar',
    'objectnet-1.0.zip',
  ],
  isRootEntry: name => name === 'mappings',
  read: readObjectNet,
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
  const entries = await tree.subtree('images').list('')
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

/** The authors' files: folder to label, label to ImageNet names, names by line, lines by class index. */
async function readMapping(tree: FileTree): Promise<ObjectNetClass[]> {
  const json = async <T>(name: string): Promise<T> =>
    JSON.parse(await readTreeText(tree, `mappings/${name}`)) as T
  const labels = await json<Record<string, string>>('folder_to_objectnet_label.json')
  const imagenet = await json<Record<string, string>>('objectnet_to_imagenet_1k.json')
  const lineOfIndex = await json<Record<string, number>>('pytorch_to_imagenet_2012_id.json')
  const names = (await readTreeText(tree, 'mappings/imagenet_to_label_2012_v2'))
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
        throw new GeogapError(
          'data',
          'unknown-class',
          `unknown ImageNet name in ObjectNet's mappings: ${name}`,
        )
      return index
    }),
  }))
}

async function readTreeText(tree: FileTree, path: string): Promise<string> {
  const entry = await tree.find(path)
  if (!entry)
    throw new GeogapError(
      'input',
      'missing-file',
      `no ${path} in ${tree.location}; it comes with the data set`,
    )
  return (await readEntry(entry)).toString('utf8')
}
