/*
 * Reads the protobuf of an ONNX file through a moving window of 64 KB. The bytes of a field are read on demand, so weights
 * of any size are skipped. Everything is bounded, since the file may be hostile.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { createRequire } from 'node:module'
import type * as Wire from '@bufbuild/protobuf/wire'
import { GeogapError, quoteForMessage, weightsError, inputError } from '../../lib/errors.ts'

const require = createRequire(import.meta.url)
// The package's CommonJS files load in half the time of its ES modules.
const { BinaryReader, WireType } = require('@bufbuild/protobuf/wire') as typeof Wire

export interface ByteSpan {
  start: number
  end: number
}

/** A field of a message: its number, the value of a varint, and the range of the bytes of any other content. */
export interface ProtoField extends ByteSpan {
  number: number
  type: Wire.WireType
  value: number
}

export interface ProtoFile extends ByteSpan {
  file: string
  /** Yields the fields of the message in `span`. */
  fields: (span: ByteSpan) => Generator<ProtoField>
  /** Returns the bytes of a short field. */
  bytes: (span: ByteSpan) => Uint8Array
}

const windowBytes = 1 << 16
/** Tag and length, or tag and varint. */
const headBytes = 20
/** Protobuf's own limit. */
const maxBytes = 2 ** 31
const maxFields = 5_000_000

export const badOnnxError = (file: string, what: string): GeogapError =>
  weightsError('bad-onnx', `cannot read ONNX file ${quoteForMessage(file, 300)}: ${what}`)

/**
 * Opens `file`, hands it to `work` and closes it.
 * @throws GeogapError `bad-onnx` if the bytes are no well-formed protobuf or exceed a limit
 */
export function readProto<T>(file: string, work: (proto: ProtoFile) => T): T {
  let handle: number
  try {
    handle = openSync(file, 'r')
  } catch {
    throw inputError('no-weights-file', `no such ONNX file: ${quoteForMessage(file, 300)}`)
  }
  try {
    const found = fstatSync(handle)
    if (!found.isFile()) throw badOnnxError(file, 'it is not a plain file')
    if (found.size > maxBytes)
      throw badOnnxError(file, `${found.size} bytes, more than the 2 GB that protobuf allows`)
    return work(openProto(file, handle, found.size))
  } catch (error) {
    if (error instanceof GeogapError) throw error
    throw badOnnxError(file, 'its content is not what an ONNX file holds')
  } finally {
    closeSync(handle)
  }
}

function openProto(file: string, handle: number, size: number): ProtoFile {
  const window = Buffer.alloc(windowBytes)
  let held: ByteSpan = { start: 0, end: 0 }
  let left = maxFields
  const bytes = ({ start, end }: ByteSpan): Uint8Array => {
    if (end - start > windowBytes)
      throw badOnnxError(file, `a name or list of ${end - start} bytes at byte ${start}`)
    if (start < held.start || end > held.end) {
      held = { start, end: start + readSync(handle, window, 0, windowBytes, start) }
    }
    return window.subarray(start - held.start, Math.min(end, held.end) - held.start)
  }
  const fields = function* ({ start, end }: ByteSpan): Generator<ProtoField> {
    for (let at = start; at < end;) {
      if (left-- === 0) throw badOnnxError(file, `more than ${maxFields} fields`)
      const field = parseField(bytes({ start: at, end: Math.min(end, at + headBytes) }), at)
      if (field.end > end)
        throw badOnnxError(file, `field ${field.number} at byte ${at} ends outside its message`)
      yield field
      at = field.end
    }
  }
  return { file, start: 0, end: size, fields, bytes }
}

export const fieldText = (proto: ProtoFile, span: ByteSpan): string =>
  Buffer.from(proto.bytes(span)).toString('utf8')

/** Returns the integers of a repeated field, packed or not. */
export function fieldIntegers(proto: ProtoFile, field: ProtoField): number[] {
  if (field.type === WireType.Varint) return [field.value]
  const reader = new BinaryReader(proto.bytes(field))
  const values: number[] = []
  while (reader.pos < reader.len) values.push(Number(reader.int64()))
  return values
}

/** @throws RangeError, which `readProto` reports, if the bytes are no field */
function parseField(head: Uint8Array, at: number): ProtoField {
  const reader = new BinaryReader(head)
  const [number, type] = reader.tag()
  switch (type) {
    case WireType.Varint: {
      const value = Number(reader.int64())
      return { number, type, value, start: at + reader.pos, end: at + reader.pos }
    }
    case WireType.LengthDelimited: {
      const length = reader.uint32()
      return { number, type, value: 0, start: at + reader.pos, end: at + reader.pos + length }
    }
    case WireType.Bit32:
      return { number, type, value: 0, start: at + reader.pos, end: at + reader.pos + 4 }
    case WireType.Bit64:
      return { number, type, value: 0, start: at + reader.pos, end: at + reader.pos + 8 }
    default:
      throw new RangeError('groups are not part of ONNX')
  }
}
