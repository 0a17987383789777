// Finds the configurations and splits of a data set's repository as the library `datasets` does: by the `configs` of its
// card, or by the names of folders and files if the card lists none.
import { basename } from 'node:path'
import { z } from 'zod'
import { inputError, quoteForMessage, unknownNameError } from '../../lib/errors.ts'
import { type HubListedFile, type HubRepository } from '../../lib/hub/repository.ts'
import { shortList } from '../../lib/table/text.ts'
import { groupByKey } from '../../lib/tally.ts'
import { isImageName } from '../benchmarks/classFolderSamples.ts'

/** Some images of a repository: the shards, Parquet files or image files of one split. */
export interface HubSplit {
  config: string
  /** `train`, `validation`, `test`, or a name of the repository's own. */
  split: string
  form: 'webdataset' | 'parquet' | 'images'
  files: readonly HubListedFile[]
  /** Columns whose values are class indices, with the names that the card gives to these. */
  classColumns: ReadonlyMap<string, readonly string[]>
  /** Number of rows that the card states. */
  rows?: number | undefined
}

/** `hf:OWNER/NAME[@REVISION][:CONFIG/SPLIT]`, in parts. */
export interface HubDatasetName {
  repo: string
  revision: string
  /** `CONFIG/SPLIT`, or either of them; undefined if neither is given. */
  part?: string | undefined
}

/** Returns whether a file's name is that of a table which names images in its column `file_name`. */
export const isMetadataName = (name: string): boolean =>
  /^metadata\.(csv|jsonl|parquet)$/.test(name)

/** Returns whether a name stands for a data set of the hub. */
export const isHubDatasetName = (name: string): boolean => name.startsWith('hf:')

/** Splits the name of a data set of the hub into its parts. @throws GeogapError `bad-hub-name` */
export function parseHubDatasetName(name: string): HubDatasetName {
  const [, repo, revision = 'main', part] =
    /^hf:([^@:]+)(?:@([^:]+))?(?::([^:/]+(?:\/[^:/]+)?))?$/.exec(name) ?? []
  if (repo === undefined)
    throw inputError(
      'bad-hub-name',
      `not hf:OWNER/NAME[@REVISION][:CONFIG/SPLIT]: ${quoteForMessage(name)}`,
    )
  return { repo, revision, part }
}

/** Returns the name of a data set of the hub with another revision. */
export function pinnedName(name: string, revision: string): string {
  const { repo, part } = parseHubDatasetName(name)
  return `hf:${repo}@${revision}${part === undefined ? '' : `:${part}`}`
}

const classLabelSchema = z.object({
  class_label: z.object({
    names: z.union([z.array(z.string()), z.record(z.string(), z.string())]),
  }),
})
const infoSchema = z.object({
  config_name: z.string().default('default'),
  features: z
    .array(
      z
        .object({ name: z.string(), dtype: z.unknown(), sequence: z.unknown(), list: z.unknown() })
        .partial(),
    )
    .catch([]),
  splits: z.array(z.object({ name: z.string(), num_examples: z.number() })).catch([]),
})
const dataFilesSchema = z.union([
  z.string(),
  z.record(z.string(), z.union([z.string(), z.array(z.string())])),
  z.array(
    z.union([
      z.string(),
      z.object({ split: z.string(), path: z.union([z.string(), z.array(z.string())]) }),
    ]),
  ),
])
const configSchema = z.object({
  config_name: z.string().default('default'),
  data_files: dataFilesSchema.optional().catch(undefined),
  data_dir: z.string().optional().catch(undefined),
  default: z.boolean().optional().catch(undefined),
})

const parseEach = <T>(schema: z.ZodType<T>, value: unknown): T[] =>
  (Array.isArray(value) ? value : value === undefined ? [] : [value]).flatMap((item: unknown) => {
    const { success, data } = schema.safeParse(item)
    return success ? [data] : []
  })

interface ConfigFiles {
  config: string
  split: string
  files: HubListedFile[]
}

/** Returns the splits of a repository that hold WebDataset shards or Parquet files, or image files if there are none. */
function findHubSplits({ card, files }: Pick<HubRepository, 'card' | 'files'>): HubSplit[] {
  const infos = parseEach(infoSchema, card['dataset_info'])
  const configs = parseEach(configSchema, card['configs'])
  const images = files.filter(({ path }) => isImageName(path))
  const packed = files.filter(
    ({ path }) =>
      /\.(parquet|tar)$/i.test(path) && !(images.length > 0 && isMetadataName(basename(path))),
  )
  const data = packed.length > 0 ? packed : images
  const found =
    configs.length > 0 ? configs.flatMap(one => configFiles(one, data)) : plainFiles(data)
  const isOneConfig = infos.length === 1 && new Set(found.map(({ config }) => config)).size === 1
  return found.flatMap(({ config, split, files }): HubSplit[] => {
    const parquet = files.filter(({ path }) => /\.parquet$/i.test(path))
    // Tables beside shards, as img2dataset writes them, are no images.
    const others = files.filter(file => !parquet.includes(file))
    const chosen = parquet.length > others.length ? parquet : others
    const info =
      infos.find(({ config_name: name }) => name === config) ?? (isOneConfig ? infos[0] : undefined)
    if (chosen.length === 0) return []
    return [
      {
        config,
        split,
        form: chosen === parquet ? 'parquet' : packed.length > 0 ? 'webdataset' : 'images',
        files: chosen,
        classColumns: classColumnsOf(info?.features ?? []),
        rows: info?.splits.find(({ name }) => name === split)?.num_examples,
      },
    ]
  })
}

function configFiles(
  { config_name: config, data_files: listed, data_dir: folder }: z.infer<typeof configSchema>,
  data: readonly HubListedFile[],
): ConfigFiles[] {
  const base = folder === undefined ? '' : `${folder.replace(/^\.?\/+|\/+$/g, '')}/`
  const below = data.filter(({ path }) => path.startsWith(base))
  if (listed === undefined) return bySplit(config, below, base)
  const entries =
    typeof listed === 'object' && !Array.isArray(listed)
      ? Object.entries(listed).map(([split, path]) => ({ split, path }))
      : [listed]
          .flat()
          .map(item => (typeof item === 'string' ? { split: 'train', path: item } : item))
  const patterns = groupByKey(entries, ({ split }) => split)
  return [...patterns].map(([split, items]) => {
    const matchers = items.flatMap(({ path }) => path).map(pattern => globPattern(base + pattern))
    const files = data.filter(({ path }) => matchers.some(matcher => matcher.test(path)))
    return { config, split: standardSplit(split), files }
  })
}

/** Returns a pattern for paths that a glob of the card's `data_files` means, such as `data/train-*` or a folder. */
function globPattern(glob: string): RegExp {
  const source = glob
    .replace(/^\.?\/+/, '')
    .replace(/\*\*\/|\*\*|\*|\?|\[!|\{[^{}]*\}|[.+^$()|\\]/g, token => {
      if (token === '**/') return '(?:.*/)?'
      if (token === '**') return '.*'
      if (token === '*') return '[^/]*'
      if (token === '?') return '[^/]'
      if (token === '[!') return '[^'
      if (token.startsWith('{')) return `(?:${token.slice(1, -1).split(',').join('|')})`
      return `\\${token}`
    })
  return new RegExp(`^${source}${glob.endsWith('/') ? '.*' : '(?:/.*)?'}$`)
}

/** Returns the files of a repository whose card lists none; the hub's own conversion has `CONFIG/SPLIT/0000.parquet`. */
function plainFiles(data: readonly HubListedFile[]): ConfigFiles[] {
  const converted = /^([^/]+)\/(?:partial-)?([^/]+)\/\d{4}\.parquet$/
  if (data.length === 0 || !data.every(({ path }) => converted.test(path)))
    return bySplit('default', data, '')
  const groups = groupByKey(data, ({ path }) => converted.exec(path)!.slice(1, 3).join('/'))
  return [...groups].map(([key, files]) => {
    const [config = '', split = ''] = key.split('/')
    return { config, split, files }
  })
}

const bySplit = (config: string, data: readonly HubListedFile[], base: string): ConfigFiles[] =>
  [...groupByKey(data, ({ path }) => splitOfPath(path.slice(base.length)))].map(
    ([split, files]) => ({ config, split, files }),
  )

const splitWords: readonly (readonly [string, readonly string[]])[] = [
  ['train', ['train', 'training']],
  ['validation', ['validation', 'valid', 'dev', 'val']],
  ['test', ['test', 'testing', 'eval', 'evaluation']],
]

/** The usual names of splits by the words that stand for them. */
const standardSplits: ReadonlyMap<string, string> = new Map(
  splitWords.flatMap(([name, words]) => words.map(word => [word, name] as const)),
)

/** Returns the usual name of a split, such as `validation` for `val`; other names stay unchanged. */
export const standardSplit = (name: string): string =>
  standardSplits.get(name.toLowerCase()) ?? name

/** Returns the split that the first folders of an image's path name (`data/test/cat/1.jpg`); undefined if none does. */
export function splitOfFolders(path: string): string | undefined {
  const [first = '', second = ''] = path.toLowerCase().split('/')
  return standardSplits.get(first) ?? standardSplits.get(second)
}

/** The note on a split that is passed over. */
export const unlabelledSplitNote = (split: string): string =>
  `its split ${split} has no labels and is not read`

/** Returns the split that the name of a file or of one of its folders states; `train` if none does. */
function splitOfPath(path: string): string {
  if (isImageName(path)) return splitOfFolders(path) ?? 'train'
  const parts = path.split('/').reverse()
  const [, counted] = /^(.+?)-\d{5}-of-\d{5}/.exec(parts[0]!) ?? []
  for (const part of [...(counted === undefined ? [] : [counted]), ...parts]) {
    const words = part.toLowerCase().split(/[^a-z]+/)
    const found = splitWords.find(([, known]) => words.some(word => known.includes(word)))
    if (found) return found[0]
  }
  return counted ?? 'train'
}

/** Returns the columns of class indices that a card describes, with the names of the classes. */
export const classColumnsOfCard = (
  card: HubRepository['card'],
): ReadonlyMap<string, readonly string[]> =>
  classColumnsOf(parseEach(infoSchema, card['dataset_info'])[0]?.features ?? [])

/** Columns of places, whose values are never the classes of images. */
const placeColumns: readonly string[] = ['country', 'region', 'continent', 'income']

function classColumnsOf(
  features: z.infer<typeof infoSchema>['features'],
): ReadonlyMap<string, readonly string[]> {
  const named = features.flatMap(({ name, dtype, sequence, list: items }): [string, string[]][] => {
    const { success, data } = classLabelSchema.safeParse(dtype ?? sequence ?? items)
    if (!success || name === undefined || placeColumns.includes(name)) return []
    const { names } = data.class_label
    if (Array.isArray(names)) return [[name, names]]
    const list = Object.keys(names).map((_, i) => names[String(i)])
    return list.every(text => text !== undefined) ? [[name, list]] : []
  })
  return new Map(named)
}

/**
 * Returns the splits that a name may mean: the split that it gives, or all splits of the configuration that it gives or of the
 * default configuration.
 * @throws GeogapError `no-images`, `unknown-split`, `many-configs`
 */
export function candidateSplits(
  name: string,
  repository: Pick<HubRepository, 'card' | 'files'>,
): HubSplit[] {
  const { part } = parseHubDatasetName(name)
  const all = findHubSplits(repository)
  if (all.length === 0)
    throw inputError(
      'no-images',
      `${name} has no WebDataset shards, Parquet files or images; it has ${endingsText(repository.files)}; the hub's own conversion may be at hf:OWNER/NAME@refs/convert/parquet`,
    )
  const [first, second] = part?.split('/') ?? []
  const isConfig = all.some(({ config }) => config === first)
  const wanted = second ?? (isConfig ? undefined : first)
  const splits =
    wanted === undefined ? all : all.filter(({ split }) => split === standardSplit(wanted))
  const config = isConfig ? first : defaultConfig(splits, repository.card)
  const found = splits.filter(one => one.config === config)
  if (found.length > 0 && (isConfig || second === undefined)) return found
  const texts = all.map(one => `${one.config}/${one.split}`)
  if (config === undefined && splits.length > 0)
    throw inputError(
      'many-configs',
      `${name} has several configurations; name one, as in hf:OWNER/NAME:${texts[0]!}; there are: ${shortList(texts, 20)}`,
    )
  throw unknownNameError('split', part ?? '', texts)
}

/** Returns the configuration that the card marks as the default, or the one named `default`, or the only one. */
function defaultConfig(
  splits: readonly HubSplit[],
  card: HubRepository['card'],
): string | undefined {
  const names = [...new Set(splits.map(({ config }) => config))]
  const marked = parseEach(configSchema, card['configs']).find(one => one.default === true)
  const preferred = [marked?.config_name, 'default'].find(
    name => name !== undefined && names.includes(name),
  )
  return preferred ?? (names.length === 1 ? names[0] : undefined)
}

function endingsText(files: readonly HubListedFile[]): string {
  const endings = groupByKey(files, ({ path }) => /\.[a-z0-9]+$/i.exec(path)?.[0] ?? 'no ending')
  const counts = [...endings].map(([ending, { length }]) => `${length} of ${ending}`)
  return shortList(counts, 6) || 'no files'
}
