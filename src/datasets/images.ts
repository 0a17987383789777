import { constants } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { promisify } from 'node:util'
import { inflateRaw } from 'node:zlib'
import { GeogapError } from '../lib/errors.ts'
import { readFully } from '../lib/files.ts'
import { isObjectStoreUrl } from '../lib/storage/storage.ts'
import { quoteIdentifier, literalPath, parquetRows, query } from '../lib/sql.ts'
import type { ImageSource } from '../lib/archive/member.ts'

const inflate = promisify(inflateRaw)

/**
 * The encoded bytes of one image. Failures are `GeogapError`s of kind `data`: `missing-file`, `unreadable-file`
 * (permission, a folder, a pipe), `damaged-archive` (a member that ends early or unpacks to another length than it states),
 * `too-large` (more than 256 MB); or of kind `storage` where this process has no files or memory left.
 */
export async function readImage(source: ImageSource): Promise<Uint8Array> {
  try {
    if (source.kind !== 'parquet' && isObjectStoreUrl(source.file))
      return await readObjectImage(source)
    if (source.kind === 'file') return await readLocalFile(source.file)
    return await (source.kind === 'range' ? readRange(source) : readCell(source))
  } catch (error) {
    if (error instanceof GeogapError) throw error
    throw imageReadError(source.file, error)
  }
}

/** Of one image, packed or not: a batch of them has to fit into memory, whatever an archive states. */
const maxImageBytes = 1 << 28

function checkSize(file: string, bytes: number): void {
  if (bytes <= maxImageBytes) return
  throw new GeogapError(
    'data',
    'too-large',
    `more than 256 MB in one piece: ${file} (${bytes} bytes)`,
  )
}

/** A pipe is opened without waiting for its other end; nothing is added where there is no such flag (Windows). */
const readFlags = constants.O_RDONLY | constants.O_NONBLOCK

async function readLocalFile(file: string): Promise<Uint8Array> {
  const handle = await open(file, readFlags)
  try {
    const found = await handle.stat()
    if (!found.isFile())
      throw new GeogapError('data', 'unreadable-file', `not a plain file: ${file}`)
    checkSize(file, found.size)
    const bytes = Buffer.allocUnsafeSlow(found.size)
    return bytes.subarray(0, await readFully(handle, bytes, 0))
  } finally {
    await handle.close()
  }
}

/** Faults of this process, which say nothing about the image. */
const processErrorCodes = new Set(['EMFILE', 'ENFILE', 'ENOMEM'])

/** An object of a store, or a part of one; only that there is none is the image's fault. */
async function readObjectImage(
  source: Exclude<ImageSource, { kind: 'parquet' }>,
): Promise<Uint8Array> {
  const { readObject } = await import('../lib/storage/s3.ts')
  const bytes = await readObject(source.file, source.kind === 'range' ? source : undefined)
  if (!bytes) throw new GeogapError('data', 'missing-file', `missing file: ${source.file}`)
  const packed = source.kind === 'range' && source.deflated
  return packed ? unpack(source.file, bytes, source.offset, packed.size) : bytes
}

function imageReadError(file: string, error: unknown): GeogapError {
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown'
  if (processErrorCodes.has(code))
    return new GeogapError('storage', 'no-handles', `cannot read ${file}: ${code}`, {
      cause: error,
    })
  const missing = code === 'ENOENT' || code === 'ENOTDIR'
  const message = missing ? `missing file: ${file}` : `unreadable file: ${file} (${code})`
  return new GeogapError('data', missing ? 'missing-file' : 'unreadable-file', message, {
    cause: error,
  })
}

const damagedArchiveError = (file: string, what: string): GeogapError =>
  new GeogapError('data', 'damaged-archive', `damaged archive: ${file}: ${what}`)

async function readRange(source: ImageSource & { kind: 'range' }): Promise<Uint8Array> {
  const { file, offset, length, deflated } = source
  checkSize(file, Math.max(length, deflated?.size ?? 0))
  const stored = Buffer.allocUnsafe(length)
  const handle = await open(file)
  try {
    const read = await readFully(handle, stored, offset)
    if (read < length)
      throw damagedArchiveError(
        file,
        `the member at byte ${offset} ends ${length - read} bytes early`,
      )
  } finally {
    await handle.close()
  }
  return deflated ? unpack(file, stored, offset, deflated.size) : stored
}

async function unpack(
  file: string,
  stored: Uint8Array,
  offset: number,
  size: number,
): Promise<Uint8Array> {
  const unpacked = await inflate(stored, { maxOutputLength: Math.max(size, 1) }).catch(
    (error: unknown) => {
      throw damagedArchiveError(
        file,
        `the member at byte ${offset} does not unpack to ${size} bytes (${String(error)})`,
      )
    },
  )
  if (unpacked.length !== size)
    throw damagedArchiveError(
      file,
      `the member at byte ${offset} unpacks to ${unpacked.length} bytes, not ${size}`,
    )
  return unpacked
}

/** One query for a block of rows costs hardly more than one for a single row; a block holds about this many bytes. */
const blockBytes = 1 << 24
const maxBlockRows = 128
const maxCachedBlocks = 2
const blockCache = new Map<string, Promise<Map<number, Uint8Array | null>>>()
const rowsPerBlockCache = new Map<string, Promise<number>>()

async function readCell({
  file,
  column,
  row,
}: ImageSource & { kind: 'parquet' }): Promise<Uint8Array> {
  const rows = await memoizeLru(rowsPerBlockCache, file, 64, () => countRowsPerBlock(file))
  const first = row - (row % rows)
  const key = JSON.stringify([file, column, first])
  const block = await memoizeLru(blockCache, key, maxCachedBlocks, () =>
    readBlock(file, column, first, rows),
  )
  const bytes = block.get(row)
  if (!bytes)
    throw new GeogapError('data', 'missing-file', `no image bytes in row ${row} of ${file}`)
  return bytes
}

/** The value of `key`, made once; the least recently used beyond `limit` are dropped. */
export function memoizeLru<T>(
  cache: Map<string, Promise<T>>,
  key: string,
  limit: number,
  make: () => Promise<T>,
): Promise<T> {
  const value = cache.get(key) ?? make()
  cache.delete(key)
  cache.set(key, value)
  const [oldest] = cache.keys()
  if (cache.size > limit && oldest !== undefined) cache.delete(oldest)
  value.catch(() => cache.delete(key))
  return value
}

async function countRowsPerBlock(file: string): Promise<number> {
  const { size } = await stat(file)
  const [metadata] = await query<{ rows: bigint }>(
    'SELECT num_rows AS rows FROM parquet_file_metadata($1)',
    [literalPath(file)],
  )
  const average = size / Math.max(1, Number(metadata?.rows ?? 1))
  return Math.max(1, Math.min(maxBlockRows, Math.floor(blockBytes / average)))
}

async function readBlock(
  file: string,
  column: string,
  first: number,
  count: number,
): Promise<Map<number, Uint8Array | null>> {
  const path = column.split('.').map(quoteIdentifier)
  const rows = await query<{ row: bigint; bytes: Uint8Array | null }>(
    `SELECT file_row_number AS row, ${path.join('.')} AS bytes FROM ${parquetRows(1, 'file_row_number = true')}
     WHERE file_row_number >= $2 AND file_row_number < $3`,
    [literalPath(file), first, first + count],
  )
  return new Map(rows.map(({ row, bytes }) => [Number(row), bytes]))
}
