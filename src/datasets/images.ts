import { open, readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { inflateRaw } from 'node:zlib'
import { GeogapError } from '../errors.ts'
import { literalPath, query } from '../sql.ts'
import type { ImageSource } from './dataset.ts'

const inflate = promisify(inflateRaw)

/**
 * The encoded bytes of one image. Failures are `GeogapError`s of kind `data`: `missing-file`, `unreadable-file`
 * (permission, a folder), `damaged-archive` (a member that ends early or unpacks to another length than it states).
 */
export async function readImage(source: ImageSource): Promise<Uint8Array> {
  try {
    if (source.kind === 'file') return await readFile(source.file)
    return await (source.kind === 'range' ? readRange(source) : readCell(source))
  } catch (error) {
    if (error instanceof GeogapError) throw error
    throw readFailure(source.file, error)
  }
}

function readFailure(file: string, error: unknown): GeogapError {
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown'
  const missing = code === 'ENOENT' || code === 'ENOTDIR'
  const message = missing ? `missing file: ${file}` : `unreadable file: ${file} (${code})`
  return new GeogapError('data', missing ? 'missing-file' : 'unreadable-file', message, { cause: error })
}

const damaged = (file: string, what: string): GeogapError =>
  new GeogapError('data', 'damaged-archive', `damaged archive: ${file}: ${what}`)

async function readRange(source: ImageSource & { kind: 'range' }): Promise<Uint8Array> {
  const { file, offset, length, deflated } = source
  const stored = Buffer.allocUnsafe(length)
  const handle = await open(file)
  try {
    let read = 0
    while (read < length) {
      const { bytesRead } = await handle.read(stored, read, length - read, offset + read)
      if (bytesRead === 0) throw damaged(file, `the member at byte ${offset} ends ${length - read} bytes early`)
      read += bytesRead
    }
  } finally {
    await handle.close()
  }
  return deflated ? unpack(file, stored, offset, deflated.size) : stored
}

async function unpack(file: string, stored: Uint8Array, offset: number, size: number): Promise<Uint8Array> {
  const unpacked = await inflate(stored, { maxOutputLength: Math.max(size, 1) }).catch((error: unknown) => {
    throw damaged(file, `the member at byte ${offset} does not unpack to ${size} bytes (${String(error)})`)
  })
  if (unpacked.length !== size)
    throw damaged(file, `the member at byte ${offset} unpacks to ${unpacked.length} bytes, not ${size}`)
  return unpacked
}

/** Rows read at once from a Parquet file: one query costs far more than one row. */
const blockRows = 32
const blocks = new Map<string, Promise<Map<number, Uint8Array | null>>>()
const keptBlocks = 4

async function readCell({ file, column, row }: ImageSource & { kind: 'parquet' }): Promise<Uint8Array> {
  const first = row - (row % blockRows)
  const key = JSON.stringify([file, column, first])
  const block = blocks.get(key) ?? readBlock(file, column, first)
  blocks.delete(key)
  blocks.set(key, block)
  const [oldest] = blocks.keys()
  if (blocks.size > keptBlocks && oldest !== undefined) blocks.delete(oldest)
  const bytes = (await block).get(row)
  if (!bytes) throw new GeogapError('data', 'missing-file', `no image bytes in row ${row} of ${file}`)
  return bytes
}

async function readBlock(file: string, column: string, first: number): Promise<Map<number, Uint8Array | null>> {
  const path = column.split('.').map(part => `"${part.replaceAll('"', '""')}"`)
  const rows = await query<{ row: bigint; bytes: Uint8Array | null }>(
    `SELECT file_row_number AS row, ${path.join('.')} AS bytes FROM read_parquet($1, file_row_number = true)
     WHERE file_row_number >= $2 AND file_row_number < $3`,
    [literalPath(file), first, first + blockRows],
  )
  return new Map(rows.map(({ row, bytes }) => [Number(row), bytes]))
}
