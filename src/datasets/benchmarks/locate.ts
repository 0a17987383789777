// Finds a benchmark's files below a data folder. A folder or archive stands for a benchmark by its name, or by marks that the
// files of no other benchmark have; what could be several benchmarks is refused.
import { existsSync } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { GeogapError, inputError, messageOf } from '../../lib/errors.ts'
import { memoize } from '../../lib/memoize.ts'
import type { RawDataset } from '../build.ts'
import { fileBytes, folderEntries, isFolder } from '../files.ts'
import { findRoot, openTree, type FileTree } from '../tree.ts'
import { isWebDataset } from '../webdataset.ts'
import { type Benchmark, gettingText, type ReadBenchmarkOptions } from './benchmark.ts'
import { benchmarks } from './index.ts'

/** Reads a benchmark below the folder `data`, or `data` itself if that is its folder or archive. Errors: missing-dataset. */
export async function readBenchmark(
  benchmark: Benchmark,
  data: string,
  options: ReadBenchmarkOptions,
): Promise<RawDataset> {
  const wanted = { benchmark, variant: options.variant }
  const accepted: FileTree[] = []
  const refusals: unknown[] = []
  for (const place of await possiblePlaces(wanted, data)) {
    // A second folder is looked for, so that a note can tell which of two copies was read; an archive of it is not.
    if (accepted.length > 0 && !place.isFolder) continue
    const judged = await judgePlace(wanted, place).catch((error: unknown) => error)
    if (judged === undefined) continue
    if (!isTree(judged)) refusals.push(judged)
    else if (!accepted.some(({ location }) => location === judged.location)) accepted.push(judged)
    if (accepted.length > 1) break
  }
  const [root, copy] = accepted
  if (!root) throw missingError(wanted, data, refusals)
  const found = await benchmark.read(root, options)
  const note = copy && `read from ${root.location}; ${copy.location} is another copy`
  return note === undefined ? found : { ...found, notes: [...(found.notes ?? []), note] }
}

interface WantedBenchmark {
  benchmark: Benchmark
  variant: string
}

/** A folder or archive that may hold a benchmark. */
interface Place {
  path: string
  /** The names that count: the data folder's, and those of the folders below it that lead to the place. */
  names: readonly string[]
  isFolder: boolean
}

/** What a name stands for: variants of a benchmark, none where the name does not tell which. */
interface KnownName {
  benchmark: Benchmark
  variants: readonly string[]
}

/** Compares names without case, separators and the endings of archives. */
const normalizeName = (name: string): string =>
  name
    .toLowerCase()
    .replace(/(\.(tar|zip|gz|tgz|bz2|xz))+$/, '')
    .replace(/[-_. ]/g, '')

/** Returns what each normalized name, or pair `parent/name`, stands for. */
const knownNames = memoize((list: readonly Benchmark[]): ReadonlyMap<string, KnownName> => {
  const known = new Map<string, { benchmark: Benchmark; variants: string[] }>()
  for (const benchmark of list) {
    for (const variant of benchmark.variants) {
      for (const path of benchmark.candidatePaths(variant)) {
        const key = path.split('/').map(normalizeName).join('/')
        const { variants } = known.get(key) ?? known.set(key, { benchmark, variants: [] }).get(key)!
        if (!variants.includes(variant)) variants.push(variant)
      }
    }
    const own = normalizeName(benchmark.name)
    if (!known.has(own)) known.set(own, { benchmark, variants: [] })
  }
  return known
})

/** Returns what the innermost name that is known stands for. `names[0]` counts as a parent only. */
function findKnownName(names: readonly string[]): KnownName | undefined {
  const known = knownNames(benchmarks)
  const normalized = names.map(normalizeName)
  for (let i = names.length - 1; i > 0; i--) {
    const found = known.get(`${normalized[i - 1]!}/${normalized[i]!}`) ?? known.get(normalized[i]!)
    if (found) return found
  }
  return undefined
}

const standsFor = (known: KnownName | undefined, { benchmark, variant }: WantedBenchmark) =>
  known?.benchmark === benchmark && known.variants.includes(variant)

/** Tells whether a name excludes the wanted benchmark. */
const excludes = (known: KnownName | undefined, { benchmark, variant }: WantedBenchmark) =>
  known !== undefined &&
  (known.benchmark !== benchmark ||
    (known.variants.length > 0 && !known.variants.includes(variant)))

/** Folders in which a folder or archive of a known name is looked for. */
const maxFolders = 64

/** The name of every download from Kaggle. */
const anonymousArchive = 'archive.zip'

/** Lists the places of a benchmark: those that its names lead to, up to two levels below `data`, and last `data` itself. */
async function possiblePlaces(wanted: WantedBenchmark, data: string): Promise<Place[]> {
  const path = resolve(data)
  const outer = [basename(dirname(path)), basename(path)]
  const itself: Place = { path: data, names: outer, isFolder: await isFolder(data) }
  if (!itself.isFolder) return (await fileBytes(data)) === null ? [] : [itself]
  const below = await entriesOf(itself)
  const deeper: Place[] = []
  for (const place of below.filter(({ isFolder }) => isFolder).slice(0, maxFolders))
    for (const entry of await entriesOf(place).catch(() => [])) deeper.push(entry)
  const own = [...below, ...deeper].filter(
    ({ names }) => findKnownName(names.slice(-2))?.benchmark === wanted.benchmark,
  )
  const ranked = own.sort((a, b) => rankPlace(b, wanted) - rankPlace(a, wanted))
  const archive = { path: join(data, anonymousArchive), names: outer, isFolder: false }
  const isThere = (await fileBytes(archive.path)) !== null
  return [...ranked, itself, ...(isThere ? [archive] : [])]
}

/** Names of the wanted variant come first, then folders, then what lies less deep. */
const rankPlace = ({ names, isFolder }: Place, wanted: WantedBenchmark): number =>
  (standsFor(findKnownName(names), wanted) ? 100 : 0) + (isFolder ? 10 : 0) - names.length

const entriesOf = async ({ path, names }: Place): Promise<Place[]> =>
  (await folderEntries(path)).map(({ name, isFolder }) => ({
    path: join(path, name),
    names: [...names, name],
    isFolder,
  }))

const isTree = (judged: unknown): judged is FileTree =>
  typeof judged === 'object' && judged !== null && 'topEntries' in judged

/**
 * Returns the root of the wanted benchmark in a place, or the reason why the place does not hold it; undefined for a data
 * folder that holds other things.
 */
async function judgePlace(
  wanted: WantedBenchmark,
  place: Place,
): Promise<FileTree | string | undefined> {
  const { benchmark, variant } = wanted
  const tree = await openTree(place.path)
  const root = await findRoot(tree, benchmark.isRootEntry)
  const inner = (root ?? tree).location.slice(tree.location.length).split(/[\\/]/).filter(Boolean)
  const real = await realpath(place.isFolder ? (root ?? tree).location : place.path)
  const names = [
    [...place.names, ...inner],
    [basename(dirname(real)), basename(real), ...(place.isFolder ? [] : inner)],
  ].map(findKnownName)
  const other = names.find(known => excludes(known, wanted))
  const where = root?.location ?? tree.location
  if (other) return `${where} is ${knownNameText(other)} by its name`
  if (!root) return describeOtherContent(tree, wanted, findKnownName(place.names) !== undefined)
  const { fits, contradiction } = await benchmark.marks(root, variant)
  if (contradiction !== undefined) return `${where} is not ${wantedText(wanted)}: ${contradiction}`
  if (fits || names.some(known => standsFor(known, wanted))) return root
  return `${where} could be ${await possibleText(root)}, and neither its name nor its files tell which; rename it to ${benchmark.candidatePaths(variant)[0]!} if it is ${wantedText(wanted)}`
}

const wantedText = ({ benchmark, variant }: WantedBenchmark): string =>
  variant === benchmark.variants[0] ? benchmark.name : `${benchmark.name}/${variant}`

const knownNameText = ({ benchmark, variants }: KnownName): string =>
  variants.length === 0 || variants.length === benchmark.variants.length
    ? benchmark.name
    : `${benchmark.name}/${variants[0]!}`

/** Lists the benchmarks whose layout a folder has. */
async function possibleText(root: FileTree): Promise<string> {
  const top = (await root.topEntries()).map(({ name }) => name)
  const texts = benchmarks
    .filter(({ isRootEntry }) => top.some(isRootEntry))
    .flatMap(({ name, variants, candidatePaths }) =>
      candidatePaths(variants[0]!)[0] === candidatePaths(variants.at(-1)!)[0]
        ? name
        : variants.map(variant => `${name}/${variant}`),
    )
  return texts.length === 1 ? `${texts[0]!} or another data set of its layout` : texts.join(', ')
}

/** Says what a place holds in place of the benchmark's layout; nothing of a folder without a name that counts. */
async function describeOtherContent(
  tree: FileTree,
  { benchmark }: WantedBenchmark,
  isNamed: boolean,
): Promise<string | undefined> {
  const { location } = tree
  const top = (await tree.topEntries()).map(({ name }) => name)
  const below = top.includes('data') ? await tree.subtree('data').topEntries() : []
  const isParquet = [...top, ...below.map(({ name }) => name)].some(name => /\.parquet$/.test(name))
  const form = (await isWebDataset(tree))
    ? 'WebDataset shards'
    : isParquet
      ? 'Parquet files'
      : undefined
  if (form)
    return `${location} holds ${form}; to open them, give this path in place of the name ${benchmark.name}`
  const shown = [...top.slice(0, 6), ...(top.length > 6 ? ['…'] : [])].join(', ')
  return isNamed
    ? `${location} has not the layout of ${benchmark.name}; it holds ${shown || 'nothing'}`
    : undefined
}

function missingError(wanted: WantedBenchmark, data: string, refusals: unknown[]): unknown {
  const [only, ...others] = refusals
  if (only instanceof Error && others.length === 0) return only
  const { candidatePaths } = wanted.benchmark
  const unexpected = refusals.find(
    error => error instanceof Error && !(error instanceof GeogapError),
  )
  if (unexpected) return unexpected
  const reasons = new Set(refusals.map(messageOf))
  if (!existsSync(data)) reasons.add('there is no such folder or archive')
  return inputError(
    'missing-dataset',
    `no ${wantedText(wanted)} in ${data}: ${[...reasons, `looked for ${candidatePaths(wanted.variant).join(', ')}, as folder, .zip or .tar`].join('; ')}; to get it: ${gettingText(wanted.benchmark, data)}`,
  )
}
