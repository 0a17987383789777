import { constants } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { inflateRaw } from 'node:zlib'
import { crc32 } from '../lib/archive/crc32.ts'
import { dataError, GeogapError, storageError } from '../lib/errors.ts'
import { readFully } from '../lib/files.ts'
import { isObjectStoreUrl } from '../lib/storage/storage.ts'
import { parquetRows, quoteIdentifier, selectFromFile } from '../lib/sql.ts'
import type { ImageSource } from '../lib/archive/member.ts'
import { createPromiseCache } from '../lib/memoize.ts'

const inflate = promisify(inflateRaw)

/**
 * Reads the encoded bytes of one image; a plain file goes into memory that `allocate` returns. Failures are `GeogapError`s of kind `data`: `missing-file`, `unreadable-file`
 * (permission, a folder, a pipe), `damaged-archive` (a member that ends early, or unpacks to another length or checksum than it states),
 * `too-large` (more than 256 MB); or of kind `storage` where this process has no files or memory left, or the file server fails.
 */
export async function readImage(
  source: ImageSource,
  allocate: (bytes: number) => Uint8Array = bytes => Buffer.allocUnsafeSlow(bytes),
  attempts = 3,
): Promise<Uint8Array> {
  try {
    if (source.kind !== 'parquet' && isObjectStoreUrl(source.file))
      return await readObjectImage(source)
    if (source.kind === 'file') return await readLocalFile(source.file, allocate)
    return await (source.kind === 'range' ? readRange(source) : readCell(source))
  } catch (error) {
    if (error instanceof GeogapError) throw error
    const code = (error as NodeJS.ErrnoException).code ?? ''
    if (attempts > 1 && (code === 'EIO' || serverErrorCodes.has(code))) {
      await sleep(rereadPauseMs)
      return readImage(source, allocate, attempts - 1)
    }
    throw imageReadError(source.file, error)
  }
}

/** The largest size of one image, packed or unpacked: a batch of images has to fit into memory. */
const maxImageBytes = 1 << 28

function checkSize(file: string, bytes: number): void {
  if (bytes > maxImageBytes)
    throw dataError('too-large', `more than 256 MB in one piece: ${file} (${bytes} bytes)`)
}

/** Opens a pipe without waiting for its other end; Windows has no such flag. */
const readFlags = constants.O_RDONLY | constants.O_NONBLOCK

async function readLocalFile(
  file: string,
  allocate: (bytes: number) => Uint8Array,
): Promise<Uint8Array> {
  const handle = await open(file, readFlags)
  try {
    const found = await handle.stat()
    if (!found.isFile()) throw dataError('unreadable-file', `not a plain file: ${file}`)
    checkSize(file, found.size)
    const bytes = allocate(found.size)
    return bytes.subarray(0, await readFully(handle, bytes, 0))
  } finally {
    await handle.close()
  }
}

/** Reads an object of a store, or a byte range of it. Only an object that is missing is an error of the image. */
async function readObjectImage(
  source: Exclude<ImageSource, { kind: 'parquet' }>,
): Promise<Uint8Array> {
  const { readObject } = await import('../lib/storage/s3.ts')
  const bytes = await readObject(source.file, source.kind === 'range' ? source : undefined)
  if (!bytes) throw dataError('missing-file', `missing file: ${source.file}`)
  if (source.kind !== 'range') return bytes
  checkWhole(source, bytes.length)
  return unpack(source, bytes)
}

/** Error codes of the operating system that say nothing about the image. */
const processErrorCodes = new Set(['EMFILE', 'ENFILE', 'ENOMEM'])

/** Error codes of a file server (NFS, SMB, FUSE), which say nothing about the image either. */
const serverErrorCodes = new Set(
  'ESTALE ENOTCONN ETIMEDOUT EHOSTDOWN EHOSTUNREACH ENETDOWN ENETUNREACH ECONNRESET EREMOTEIO'.split(
    ' ',
  ),
)
const rereadPauseMs = 300

function imageReadError(file: string, error: unknown): GeogapError {
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown'
  if (serverErrorCodes.has(code))
    return storageError(
      'no-file-server',
      `cannot read ${file}: the file server fails (${code})`,
      error,
    )
  if (processErrorCodes.has(code))
    return storageError('no-handles', `cannot read ${file}: ${code}`, error)
  return code === 'ENOENT' || code === 'ENOTDIR'
    ? dataError('missing-file', `missing file: ${file}`, error)
    : dataError('unreadable-file', `unreadable file: ${file} (${code})`, error)
}

type ArchiveRange = ImageSource & { kind: 'range' }

const damagedMemberError = ({ file, offset }: ArchiveRange, what: string): GeogapError =>
  dataError('damaged-archive', `damaged archive: ${file}: the member at byte ${offset} ${what}`)

function checkWhole(source: ArchiveRange, bytes: number): void {
  if (bytes < source.length)
    throw damagedMemberError(source, `ends ${source.length - bytes} bytes early`)
}

async function readRange(source: ArchiveRange): Promise<Uint8Array> {
  const { file, offset, length, deflated } = source
  checkSize(file, Math.max(length, deflated?.size ?? 0))
  const stored = Buffer.allocUnsafe(length)
  const handle = await open(file)
  try {
    checkWhole(source, await readFully(handle, stored, offset))
  } finally {
    await handle.close()
  }
  return unpack(source, stored)
}

/** Inflates the stored bytes of a deflated member, and compares the checksum where the archive has one. */
async function unpack(source: ArchiveRange, stored: Uint8Array): Promise<Uint8Array> {
  const bytes = source.deflated ? await inflateTo(source, stored, source.deflated.size) : stored
  if (source.crc32 !== undefined && crc32(bytes) !== source.crc32)
    throw damagedMemberError(source, 'does not have the checksum (CRC-32) that the archive states')
  return bytes
}

async function inflateTo(
  source: ArchiveRange,
  stored: Uint8Array,
  size: number,
): Promise<Uint8Array> {
  const unpacked = await inflate(stored, { maxOutputLength: Math.max(size, 1) }).catch(
    (error: unknown) => {
      throw damagedMemberError(source, `does not unpack to ${size} bytes (${String(error)})`)
    },
  )
  if (unpacked.length !== size)
    throw damagedMemberError(source, `unpacks to ${unpacked.length} bytes, not ${size}`)
  return unpacked
}

/** The bytes of a block of rows: a query for a block costs hardly more than one for a single row. */
const blockBytes = 1 << 24
const maxBlockRows = 128
const blockCache = createPromiseCache<ReadonlyMap<number, Uint8Array | null>>(2)
const rowsPerBlockCache = createPromiseCache<number>(64)

async function readCell(source: ImageSource & { kind: 'parquet' }): Promise<Uint8Array> {
  const { file, column, row } = source
  const count = await rowsPerBlockCache.load(file, () => countRowsPerBlock(file))
  const first = row - (row % count)
  const block = await blockCache.load(JSON.stringify([file, column, first]), () =>
    readBlock({ ...source, row: first }, count),
  )
  const bytes = block.get(row)
  if (!bytes) throw dataError('missing-file', `no image bytes in row ${row} of ${file}`)
  return bytes
}

async function countRowsPerBlock(file: string): Promise<number> {
  const { size } = await stat(file)
  const { rows } = await selectFromFile(
    file,
    'SELECT num_rows AS rows FROM parquet_file_metadata($1)',
  )
  const average = size / Math.max(1, Number(rows[0]?.['rows'] ?? 1))
  return Math.max(1, Math.min(maxBlockRows, Math.floor(blockBytes / average)))
}

/** Reads the cells of `count` rows from `row` on, by row. */
async function readBlock(
  { file, column, row: first }: ImageSource & { kind: 'parquet' },
  count: number,
): Promise<ReadonlyMap<number, Uint8Array | null>> {
  const path = column.split('.').map(quoteIdentifier)
  const { rows } = await selectFromFile(
    file,
    `SELECT file_row_number AS row, ${path.join('.')} AS bytes FROM ${parquetRows(1, 'file_row_number = true')}
     WHERE file_row_number >= $2 AND file_row_number < $3`,
    first,
    first + count,
  )
  return new Map(rows.map(({ row, bytes }) => [Number(row), bytes as Uint8Array | null]))
}
