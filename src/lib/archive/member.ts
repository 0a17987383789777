/** Where an image's bytes are: a file, or a byte range of an archive that is read in place. */
export type ImageSource =
  | { kind: 'file'; file: string }
  /** `length` stored bytes at `offset` of an archive; `size` is the unpacked length of a deflated member. */
  | { kind: 'range'; file: string; offset: number; length: number; deflated?: { size: number } }
  /** One cell of a Parquet file with image bytes. */
  | { kind: 'parquet'; file: string; column: string; row: number }

/** A file of a folder or archive; `path` uses `/` and is relative to the tree's root. */
export interface ArchiveMember {
  path: string
  /** Unpacked size. */
  bytes: number
  source: ImageSource
}

/** Reads `length` bytes at `offset`, fewer only at the end of the file. */
export type ReadAt = (offset: number, length: number) => Promise<Buffer>
