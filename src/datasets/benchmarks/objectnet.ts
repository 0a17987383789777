import { GeogapError } from '../../lib/errors.ts'
import { sha256 } from '../../lib/hash.ts'
import type { Benchmark, ReadOptions } from './benchmark.ts'
import { acceptedClasses, type Draft } from '../build.ts'
import { classFolderItems } from './classFolders.ts'
import { originalLabels, type Labelling } from '../labels/labelMap.ts'
import { imagenetSpace, plain } from '../labels/labels.ts'
import { readEntry, type Tree } from '../tree.ts'
import { refuseLabelMap } from './wnidFolders.ts'

/** Pixels of the red frame that every image has; the terms ask to remove it. */
const border = 2

/**
 * ObjectNet (Barbu et al. 2019), `images/<folder>/<file>.png` with the authors' own `mappings/`. Of its 313 classes the
 * 113 that overlap with ImageNet are scored. Two protocols: `authors`, as the paper's code has it, accepts the first
 * mapped ImageNet class only and masks nothing; `masked` accepts every mapped class and lets only mapped classes compete.
 */
export const objectnet: Benchmark = {
  name: 'objectnet',
  title: 'ObjectNet',
  kind: 'standard',
  terms: 'CC BY 4.0, never for training or tuning; the red border must be removed before use (it is)',
  source: 'https://objectnet.dev/',
  expected: () => ({ images: 18_574, classes: 113 }),
  variants: ['authors', 'masked'],
  get: 'objectnet-1.0.zip from the source page, unpacked with the password given there, as objectnet-1.0/ with images/ and mappings/',
  downloads: [],
  places: () => ['objectnet', 'objectnet-1.0', 'ObjectNet', 'objectnet.tar', 'objectnet-1.0.tar', 'objectnet-1.0.zip'],
  marks: name => name === 'mappings',
  read: readObjectNet,
}

async function readObjectNet(tree: Tree, options: ReadOptions): Promise<Draft> {
  const mapping = await readMapping(tree)
  const scored = mapping.filter(({ classes }) => classes.length > 0)
  const rules =
    options.labels === 'original' ? originalLabels(scored.map(({ label }) => label)) : protocol(scored, options)
  const labelOf = new Map(mapping.map(({ folder, label }) => [folder, label]))
  const overlapping = new Set(scored.map(({ folder }) => folder))
  const entries = await tree.at('images').list('')
  const inOverlap = entries.filter(({ path }) => {
    const folder = path.split('/')[0]!
    return overlapping.has(folder) || !labelOf.has(folder)
  })
  const { items, problems } = classFolderItems(inOverlap, folder => rules.accepted(labelOf.get(folder) ?? ''))
  const others = entries.length - inOverlap.length
  return {
    name: options.variant === 'authors' ? 'objectnet' : `objectnet/${options.variant}`,
    items: items.map(item => ({ ...item, label: labelOf.get(item.label) ?? item.label })),
    problems,
    space: rules.space,
    labelMap: rules.map,
    columns: [],
    prepare: { border, resize: true },
    notes: [`${others} images of classes that ImageNet does not have are not scored`],
    ...(options.variant === 'masked' && rules.space === imagenetSpace && { choices: acceptedClasses(items) }),
  }
}

interface Mapped {
  folder: string
  label: string
  /** ImageNet class indices in the authors' order; empty outside the overlap. */
  classes: readonly number[]
}

function protocol(scored: readonly Mapped[], options: ReadOptions): Labelling {
  refuseLabelMap('objectnet', options)
  const kept = scored.map(({ label, classes }): [string, readonly number[]] => [
    plain(label),
    options.variant === 'authors' ? classes.slice(0, 1) : classes,
  ])
  const byLabel = new Map(kept)
  const map = { name: `objectnet-${options.variant}`, hash: sha256(JSON.stringify([...kept].sort())) }
  return { space: imagenetSpace, map, accepted: label => byLabel.get(plain(label)) }
}

/** The authors' files: folder to label, label to ImageNet names, names by line, lines by class index. */
async function readMapping(tree: Tree): Promise<Mapped[]> {
  const json = async <T>(name: string): Promise<T> => JSON.parse(await readText(tree, `mappings/${name}`)) as T
  const labels = await json<Record<string, string>>('folder_to_objectnet_label.json')
  const imagenet = await json<Record<string, string>>('objectnet_to_imagenet_1k.json')
  const lineOfIndex = await json<Record<string, number>>('pytorch_to_imagenet_2012_id.json')
  const names = (await readText(tree, 'mappings/imagenet_to_label_2012_v2')).split('\n').map(name => name.trim())
  const indexOfName = new Map(Object.entries(lineOfIndex).map(([index, line]) => [names[line], Number(index)]))
  return Object.entries(labels).map(([folder, label]) => ({
    folder,
    label,
    classes: (imagenet[label]?.split('; ') ?? []).map(name => {
      const index = indexOfName.get(name)
      if (index === undefined)
        throw new GeogapError('data', 'unknown-class', `unknown ImageNet name in ObjectNet's mappings: ${name}`)
      return index
    }),
  }))
}

async function readText(tree: Tree, path: string): Promise<string> {
  const entry = await tree.find(path)
  if (!entry) throw new GeogapError('input', 'missing-file', `no ${path} in ${tree.where}; it comes with the data set`)
  return (await readEntry(entry)).toString('utf8')
}
