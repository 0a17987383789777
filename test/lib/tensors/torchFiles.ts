/** Makes PyTorch checkpoints for tests: pickles from opcodes, and zip archives with any field wrong on purpose. */

export interface Member {
  name: string
  data: Uint8Array
  method?: number
  flags?: number
  /** what the directory says in place of the true length */
  length?: number
  localName?: string
  /** sizes and offset as zip64 extra fields */
  long?: boolean
}

const u16 = (...values: number[]) => Buffer.from(Uint16Array.from(values).buffer)
const u32 = (...values: number[]) => Buffer.from(Uint32Array.from(values).buffer)
const u64 = (...values: number[]) => Buffer.from(BigUint64Array.from(values, BigInt).buffer)

export function zipOf(members: Member[], count = members.length): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let at = 0
  for (const member of members) {
    const name = Buffer.from(member.localName ?? member.name)
    const local = Buffer.concat([
      u32(0x04034b50),
      u16(0, 0x808, 0, 0, 0),
      u32(0, 0, 0),
      u16(name.length, 3),
      name,
      Buffer.from('FB.'),
    ])
    directory.push(directoryEntry(member, at))
    parts.push(local, Buffer.from(member.data))
    at += local.length + member.data.length
  }
  const entries = Buffer.concat(directory)
  const end = Buffer.concat([
    u32(0x06054b50),
    u16(0, 0, count, count),
    u32(entries.length, at),
    u16(0),
  ])
  return Buffer.concat([
    ...parts,
    entries,
    ...(members.some(m => m.long) ? longEnd(entries, at, count) : [end]),
  ])
}

function directoryEntry(member: Member, at: number): Buffer {
  const { name, data, method = 0, flags = 0x808, length = data.length, long = false } = member
  const extra = long ? Buffer.concat([u16(1, 24), u64(length, length, at)]) : Buffer.alloc(0)
  const sizes = long ? u32(0, 0xffffffff, 0xffffffff) : u32(0, length, length)
  const bytes = Buffer.from(name)
  return Buffer.concat([
    u32(0x02014b50),
    u16(0, 0, flags, method, 0, 0),
    sizes,
    u16(bytes.length, extra.length, 0, 0, 0),
    u32(0, long ? 0xffffffff : at),
    bytes,
    extra,
  ])
}

const longEnd = (entries: Buffer, at: number, count: number): Buffer[] => [
  Buffer.concat([
    u32(0x06064b50),
    u64(44),
    u16(45, 45),
    u32(0, 0),
    u64(count, count, entries.length, at),
  ]),
  Buffer.concat([u32(0x07064b50, 0), u64(at + entries.length), u32(1)]),
  Buffer.concat([u32(0x06054b50), u16(0, 0, 0xffff, 0xffff), u32(0xffffffff, 0xffffffff), u16(0)]),
]

/** Opcodes from text and bytes. */
export const ops = (...parts: (string | Uint8Array)[]): Buffer =>
  Buffer.concat(parts.map(part => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)))

export const int = (value: number): Buffer => ops('J', u32(value))
export const text = (value: string): Buffer =>
  ops('X', u32(Buffer.byteLength(value)), Buffer.from(value))
export const tuple = (...items: Uint8Array[]): Buffer => ops('(', ...items, 't')
export const dict = (items: Record<string, Uint8Array>): Buffer =>
  ops('}(', ...Object.entries(items).flatMap(([key, value]) => [text(key), value]), 'u')
export const pickle = (value: Uint8Array): Buffer => ops('\x80\x02', value, '.')

export interface TensorPickle {
  type?: string
  key: string
  size: number
  offset?: number
  shape: number[]
  strides: number[]
}

export function tensor({
  type = 'FloatStorage',
  key,
  size,
  offset = 0,
  shape,
  strides,
}: TensorPickle): Buffer {
  const storage = ops(
    tuple(text('storage'), ops(`ctorch\n${type}\n`), text(key), text('cpu'), int(size)),
    'Q',
  )
  const hooks = ops('ccollections\nOrderedDict\n)R')
  const args = tuple(
    storage,
    int(offset),
    tuple(...shape.map(int)),
    tuple(...strides.map(int)),
    ops('\x89'),
    hooks,
  )
  return ops('ctorch._utils\n_rebuild_tensor_v2\n', args, 'R')
}

export const bytesOf = (values: ArrayBufferView): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength)

export const zipCheckpoint = (
  value: Uint8Array,
  storages: Record<string, Uint8Array> = {},
): Buffer =>
  zipOf([
    { name: 'archive/data.pkl', data: pickle(value) },
    ...Object.entries(storages).map(([key, data]) => ({ name: `archive/data/${key}`, data })),
    { name: 'archive/version', data: Buffer.from('3\n') },
  ])

const legacyStart = ops(
  pickle(ops('\x8a\x0a', Buffer.from('6cfc9c46f9206aa85019', 'hex'))),
  pickle(int(1001)),
  pickle(dict({ little_endian: ops('\x88') })),
)

export const legacyCheckpoint = (
  value: Uint8Array,
  storages: [key: string, size: number, data: Uint8Array][],
): Buffer =>
  ops(
    legacyStart,
    pickle(value),
    pickle(ops('](', ...storages.map(([key]) => text(key)), 'e')),
    ...storages.flatMap(([, size, data]) => [u64(size), data]),
  )
