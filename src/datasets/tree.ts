import { open, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { inputError } from '../lib/errors.ts'
import { readFully } from '../lib/files.ts'
import { fileBytes, folderEntries, fileReadError, isLitterName } from './files.ts'
import { mapLimited } from '../lib/concurrency.ts'
import { readImage } from './readImage.ts'
import { readTarMembers } from '../lib/archive/tar.ts'
import { readZipMembers } from '../lib/archive/zip.ts'
import {
  archiveError,
  type ArchiveMember,
  type ImageSource,
  type ReadAt,
} from '../lib/archive/member.ts'

/** Returns an entry's image; for a missing entry, the file at which it was expected, with `bytes: null`. */
export const imageOf = (
  entry: ArchiveMember | undefined,
  file: string,
): { image: ImageSource; bytes: number | null } => ({
  image: entry?.source ?? { kind: 'file', file },
  bytes: entry?.bytes ?? null,
})

/** A folder, zip or tar. */
export interface FileTree {
  /** The folder or archive, for messages. */
  location: string
  /** Names directly below the root, sorted. */
  topEntries: () => Promise<{ name: string; isFolder: boolean }[]>
  /** Every file below a folder of the tree (`''`: all), sorted by path. */
  list: (under: string) => Promise<ArchiveMember[]>
  find: (path: string) => Promise<ArchiveMember | undefined>
  /** The tree below one of its folders; reading a folder that is missing gives nothing or an error. */
  subtree: (folder: string) => FileTree
}

/** File endings of archives that are read in place. */
export const archiveKinds: readonly string[] = ['.zip', '.tar']

/** Opens a folder, zip or tar. The bytes of an archive tell its kind, whatever its name ends in. */
export async function openTree(path: string): Promise<FileTree> {
  const found = await stat(path).catch((error: unknown) => {
    throw fileReadError(path, error)
  })
  if (found.isDirectory()) return folderTree(path)
  const kind = await archiveKind(path)
  if (kind === 'zip') return archiveTree(path, await withFile(path, found.size, readZipMembers))
  if (kind === 'tar') return archiveTree(path, await withFile(path, found.size, readTarMembers))
  if (kind === undefined) throw inputError('unknown-format', `not a folder, .zip or .tar: ${path}`)
  const isNamed = endingsByKind[kind].some(ending => path.toLowerCase().endsWith(ending))
  const named = isNamed ? path : path + endingsByKind[kind][0]!
  const rename = isNamed ? '' : `in spite of its name, it is compressed: mv ${path} ${named}, then `
  throw inputError(
    'compressed-archive',
    `a compressed archive cannot be read in parts: ${path}; ${rename}uncompress it: ${uncompressCommands[kind]} ${named}`,
  )
}

const uncompressCommands = { gz: 'gunzip', bz2: 'bunzip2', xz: 'unxz' }

const endingsByKind = {
  zip: ['.zip'],
  tar: ['.tar'],
  gz: ['.gz', '.tgz'],
  bz2: ['.bz2'],
  xz: ['.xz'],
}

/** The first bytes of archives, as Latin-1 text. */
const archiveSignatures = [
  ['zip', 0, 'PK\x03\x04'],
  ['zip', 0, 'PK\x05\x06'],
  ['gz', 0, '\x1f\x8b'],
  ['bz2', 0, 'BZh'],
  ['xz', 0, '\xfd7zXZ'],
  ['tar', 257, 'ustar'],
] as const

/** Returns the kind of an archive by its first bytes, or by its ending where these tell nothing. */
async function archiveKind(path: string): Promise<keyof typeof endingsByKind | undefined> {
  const start = Buffer.alloc(512)
  const handle = await open(path)
  try {
    await readFully(handle, start, 0)
  } finally {
    await handle.close()
  }
  const text = start.toString('latin1')
  const [signed] = archiveSignatures.find(([, at, bytes]) => text.startsWith(bytes, at)) ?? []
  const kinds = Object.keys(endingsByKind) as (keyof typeof endingsByKind)[]
  return signed ?? kinds.find(kind => endingsByKind[kind].includes(extname(path).toLowerCase()))
}

async function withFile<T>(
  path: string,
  size: number,
  work: (path: string, size: number, read: ReadAt) => Promise<T>,
): Promise<T> {
  const handle = await open(path)
  try {
    return await work(path, size, async (offset, length) => {
      const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(length), 0, length, offset)
      return buffer.subarray(0, bytesRead)
    })
  } catch (error) {
    throw error instanceof RangeError
      ? archiveError(path, 'a header points outside the file')
      : error
  } finally {
    await handle.close()
  }
}

function folderTree(root: string): FileTree {
  const entry = async (path: string): Promise<ArchiveMember | undefined> => {
    const file = join(root, path)
    const bytes = await fileBytes(file)
    return bytes === null ? undefined : { path, bytes, source: { kind: 'file', file } }
  }
  return {
    location: root,
    topEntries: () => folderEntries(root),
    list: async under => {
      const found = await walkFolder(join(root, under), under === '' ? '' : `${under}/`, [])
      return found.sort(comparePaths)
    },
    find: entry,
    subtree: folder => folderTree(join(root, folder)),
  }
}

/**
 * Lists every file below a folder, links followed but those to a folder that contains them. An entry that cannot be read (a
 * link to nothing, a name that is not UTF-8) has no size, so that it becomes a row with an error.
 */
async function walkFolder(
  folder: string | Buffer,
  prefix: string,
  above: readonly string[],
): Promise<ArchiveMember[]> {
  const { dev, ino } = await stat(folder, { bigint: true })
  const identity = `${dev}:${ino}`
  if (above.includes(identity)) return []
  const entries = await folderEntries(folder)
  const files = await mapLimited(
    entries.filter(({ isFolder }) => !isFolder),
    32,
    async ({ name, path }): Promise<ArchiveMember> => {
      const file = typeof path === 'string' ? path : join(String(folder), name)
      const bytes = typeof path === 'string' ? await fileBytes(path) : null
      return { path: prefix + name, bytes, source: { kind: 'file', file } }
    },
  )
  const nested: ArchiveMember[][] = []
  for (const { name, path } of entries.filter(({ isFolder }) => isFolder))
    nested.push(await walkFolder(path, `${prefix}${name}/`, [...above, identity]))
  return [...files, ...nested.flat()]
}

/** Returns the tree of known files. */
export function archiveTree(where: string, members: readonly ArchiveMember[]): FileTree {
  const visible = members.filter(
    ({ path }) =>
      !path.split('/').some((name, i, names) => isLitterName(name, i < names.length - 1)),
  )
  const sorted = [...visible].sort(comparePaths)
  const byName = new Map(members.map(member => [member.path, member]))
  const tops = new Map(sorted.map(({ path }) => [path.split('/')[0]!, path.includes('/')]))
  return {
    location: where,
    topEntries: () => Promise.resolve([...tops].map(([name, isFolder]) => ({ name, isFolder }))),
    list: under =>
      Promise.resolve(
        under === '' ? sorted : sorted.filter(({ path }) => path.startsWith(`${under}/`)),
      ),
    find: path => Promise.resolve(byName.get(path)),
    subtree: folder =>
      folder === ''
        ? archiveTree(where, members)
        : archiveTree(`${where}/${folder}`, membersBelow(members, folder)),
  }
}

const membersBelow = (members: readonly ArchiveMember[], folder: string): ArchiveMember[] =>
  members
    .filter(({ path }) => path.startsWith(`${folder}/`))
    .map(entry => ({ ...entry, path: entry.path.slice(folder.length + 1) }))

const comparePaths = (a: ArchiveMember, b: ArchiveMember): number =>
  a.path < b.path ? -1 : a.path > b.path ? 1 : 0

/**
 * Finds the folder that has an entry which `marks` accepts: the root, or a folder that is the only one of its parent, as
 * archives often wrap their content. Undefined when there is none.
 */
export async function findRoot(
  tree: FileTree,
  marks: (name: string) => boolean,
): Promise<FileTree | undefined> {
  const top = await tree.topEntries()
  if (top.some(({ name }) => marks(name))) return tree
  const [only, ...others] = top.filter(({ isFolder }) => isFolder)
  return only && others.length === 0 ? findRoot(tree.subtree(only.name), marks) : undefined
}

/** Reads the unpacked bytes of an entry. */
export const readEntry = async (entry: ArchiveMember): Promise<Buffer> =>
  Buffer.from(await readImage(entry.source))

/** Reads a text file of a tree; undefined when there is none. */
export async function readTreeText(tree: FileTree, path: string): Promise<string | undefined> {
  const entry = await tree.find(path)
  return entry && (await readEntry(entry)).toString('utf8')
}
