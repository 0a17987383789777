import { link, mkdir, open, readdir, rename, rm, stat, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import {
  fileStats,
  orIfMissing,
  readStoredFile,
  syncFolder,
  temporaryName,
  writeDurably,
  writeError,
} from '../files.ts'
import { type Storage } from './storage.ts'

/** Returns the storage of a folder, which several machines may share. */
export function folderStorage(root: string): Storage {
  const storing = async <T>(name: string, work: (file: string) => Promise<T>): Promise<T> => {
    const file = join(root, name)
    try {
      return await work(file)
    } catch (error) {
      throw writeError(file, error)
    }
  }
  return {
    url: root,
    read: name => readStoredFile(join(root, name)),
    put: (name, fill) =>
      storing(name, async file => {
        await mkdir(dirname(file), { recursive: true })
        await writeDurably(file, fill)
        return (await stat(file)).size
      }),
    create: (name, text) =>
      storing(name, file =>
        createFile(file, text).catch(async (error: unknown) => {
          if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
          await mkdir(dirname(file), { recursive: true })
          return createFile(file, text)
        }),
      ),
    list: folder => orIfMissing(readdir(join(root, folder)), []),
    remove: name => rm(join(root, name), { force: true, recursive: true }),
    size: async name => (await orIfMissing(fileStats(join(root, name)), undefined))?.size,
  }
}

/** Creates a file by a hard link, which fails when the name is taken; a rename would not. */
async function createFile(file: string, text: string): Promise<boolean> {
  const temporary = temporaryName(file)
  try {
    await writeSynced(temporary, text)
    await link(temporary, file)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? ''
    if (code === 'EEXIST') return false
    if (!noHardLinkCodes.includes(code)) throw error
    if (await orIfMissing(stat(file), undefined)) return false
    await rename(temporary, file)
  } finally {
    await orIfMissing(unlink(temporary), undefined)
  }
  await syncFolder(dirname(file))
  return true
}

/** Errors of file systems without hard links, where two writers at once are not told apart. */
const noHardLinkCodes = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']

async function writeSynced(file: string, text: string): Promise<void> {
  const handle = await open(file, 'wx')
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
}
