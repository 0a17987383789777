import { resolve } from 'node:path'

/** A folder, or a prefix of an S3-compatible store, that holds results, images and weights. Names use `/`. */
export interface Storage {
  /** The address, as messages show it. */
  readonly url: string
  /** Returns undefined for a missing name. */
  read(name: string): Promise<Uint8Array | undefined>
  /** Stores the temporary file that `fill` writes, whole or not at all; returns its size in bytes. */
  put(name: string, fill: (temporary: string) => Promise<void>): Promise<number>
  /** Stores a text under a name that is not taken: of several callers at once one gets true. */
  create(name: string, text: string): Promise<boolean>
  /** Lists the files directly below a folder; none if there is no such folder. */
  list(folder: string): Promise<string[]>
  remove(name: string): Promise<void>
  /** Returns the bytes of a file; undefined if there is none. */
  size(name: string): Promise<number | undefined>
}

export const isObjectStoreUrl = (url: string): boolean => url.startsWith('s3://')

/** Makes a path absolute; the address of an object store is returned as it is. */
export const absolutePath = (path: string): string =>
  isObjectStoreUrl(path) ? path : resolve(path)
