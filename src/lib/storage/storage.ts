import { resolve } from 'node:path'

/** Where results, images and weights lie: a folder, or a prefix of an S3-compatible store. Names use `/`. */
export interface Storage {
  /** As messages name it. */
  readonly url: string
  /** Undefined where there is no such name. */
  read(name: string): Promise<Uint8Array | undefined>
  /** Readers see nothing or all of what `fill` puts into the temporary file that it is given; returns its bytes. */
  put(name: string, fill: (temporary: string) => Promise<void>): Promise<number>
  /** As `put` for a text, where nothing has the name yet: of several that try at once one gets true. */
  create(name: string, text: string): Promise<boolean>
  /** Names of the files directly below a folder; none where there is no such folder. */
  list(folder: string): Promise<string[]>
  remove(name: string): Promise<void>
}

export const isObjectStoreUrl = (url: string): boolean => url.startsWith('s3://')

/** The same file or folder wherever the process works; an address of a store is one already. */
export const absolutePath = (path: string): string =>
  isObjectStoreUrl(path) ? path : resolve(path)
