/*
 * Takes an AVIF file apart so that libvips decodes its planes as they are coded: every coded image becomes a file of its own
 * that claims to hold RGB. Its colours are then computed in `ycc.ts`, as Pillow does; transformations are left out.
 */
import { checkImageSize, imageError, type Pixels } from './image.ts'
import { readSequenceHeader, type YccFormat } from './ycc.ts'

/** A coded image, or a grid of them in rows. */
export interface AvifImage extends Pick<Pixels, 'width' | 'height'> {
  format: YccFormat
  columns: number
  tile: Pick<Pixels, 'width' | 'height'>
  /** AVIF files with one coded image each: red is Cr, green is Y, blue is Cb. */
  tiles: (() => Buffer)[]
}

interface Box {
  type: string
  whole: Buffer
  /** Without size and type. */
  body: Buffer
}

interface Property {
  box: Box
  isEssential: boolean
}

interface Item {
  type: string
  data: () => Buffer
  properties: Property[]
}

const corrupt = (message: string) => imageError('corrupt', `AVIF: ${message}`)
const unread = (message: string) =>
  imageError('unknown-format', `AVIF with ${message} is not read; convert the image to PNG`)

/** Reads the structure of an AVIF file. Errors: `corrupt`, `unknown-format`, `too-large`. */
export function readAvif(bytes: Uint8Array): AvifImage {
  try {
    return readStructure(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  } catch (error) {
    if (error instanceof RangeError) throw corrupt('a box ends early')
    throw error
  }
}

function readStructure(file: Buffer): AvifImage {
  const meta = boxOf(boxesOf(file), 'meta')
  const boxes = boxesOf(meta.body.subarray(4))
  const pitm = boxOf(boxes, 'pitm')
  const primaryId = readId(pitm.body, 4, fullBox(pitm).version > 0)
  const items = readItems(file, boxes)
  const itemOf = (id: number): Item => {
    const item = items.get(id)
    if (!item) throw corrupt(`item ${id} is missing`)
    return item
  }
  const primary = itemOf(primaryId)
  const references = readReferences(boxes)
  if (references.some(({ type, from }) => type === 'prem' && from === primaryId))
    throw unread('premultiplied alpha')
  const hasAlpha = references.some(({ type, to }) => type === 'auxl' && to.includes(primaryId))
  const isGrid = primary.type === 'grid'
  const grid = isGrid ? readGrid(primary.data()) : { ...sizeOf(primary), columns: 1, rows: 1 }
  checkImageSize(grid.width, grid.height)
  const ids = isGrid
    ? (references.find(({ type, from }) => type === 'dimg' && from === primaryId)?.to ?? [])
    : [primaryId]
  const coded = ids.map(itemOf)
  const other = coded.find(({ type }) => type !== 'av01')
  if (other) throw unread(`items of type ${other.type}`)
  const { width, height, columns } = grid
  const tile = checkTiles(coded, grid)
  const stated = readColors(primary) ?? readColors(coded[0]!)
  const format = { ...readSequenceHeader(coded[0]!.data()), ...stated, hasAlpha }
  return { width, height, columns, tile, format, tiles: coded.map(item => () => fileOf(item)) }
}

interface Grid extends Pick<Pixels, 'width' | 'height'> {
  columns: number
  rows: number
}

/** Returns the size of all tiles of a grid. Errors: `corrupt` unless they cover it and each of them is needed. */
function checkTiles(tiles: readonly Item[], { width, height, columns, rows }: Grid) {
  const needed = `${columns} x ${rows} tiles for ${width} x ${height} pixels`
  if (tiles.length !== columns * rows || new Set(tiles).size !== tiles.length)
    throw corrupt(`${tiles.length} items stand for ${needed}`)
  const sizes = tiles.map(sizeOf)
  const [size] = sizes as [Grid]
  const covers = (count: number, side: number, all: number) =>
    (count - 1) * side < all && count * side >= all
  const isWhole = covers(columns, size.width, width) && covers(rows, size.height, height)
  if (!isWhole || sizes.some(own => own.width !== size.width || own.height !== size.height))
    throw corrupt(`the sizes of the tiles do not fit ${needed}`)
  return size
}

function boxesOf(bytes: Buffer): Box[] {
  const boxes: Box[] = []
  for (let at = 0; at + 8 <= bytes.length;) {
    const stated = bytes.readUInt32BE(at)
    const head = stated === 1 ? 16 : 8
    const size =
      stated === 0
        ? bytes.length - at
        : stated === 1
          ? Number(bytes.readBigUInt64BE(at + 8))
          : stated
    if (size < head || at + size > bytes.length) throw corrupt('a box ends early')
    const whole = bytes.subarray(at, at + size)
    boxes.push({ type: whole.toString('latin1', 4, 8), whole, body: whole.subarray(head) })
    at += size
  }
  return boxes
}

function boxOf(boxes: readonly Box[], type: string): Box {
  const box = boxes.find(candidate => candidate.type === type)
  if (!box) throw corrupt(`the box ${type} is missing`)
  return box
}

const fullBox = ({ body }: Box) => ({ version: body.readUInt8(0), flags: body.readUIntBE(1, 3) })

const readId = (body: Buffer, at: number, isWide: boolean): number =>
  isWide ? body.readUInt32BE(at) : body.readUInt16BE(at)

/** Reads integers of a box one after the other. */
function reader({ body }: Box) {
  let at = 4
  return (size: number): number => {
    at += size
    return size === 8
      ? Number(body.readBigUInt64BE(at - 8))
      : size === 0
        ? 0
        : body.readUIntBE(at - size, size)
  }
}

function readItems(file: Buffer, boxes: readonly Box[]): Map<number, Item> {
  const types = readTypes(boxOf(boxes, 'iinf'))
  const properties = readProperties(boxesOf(boxOf(boxes, 'iprp').body))
  const idat = boxes.find(({ type }) => type === 'idat')?.body
  const box = boxOf(boxes, 'iloc')
  const { version } = fullBox(box)
  const read = reader(box)
  const sizes = read(2)
  const [offsetSize, lengthSize, baseSize] = [sizes >> 12, (sizes >> 8) & 15, (sizes >> 4) & 15]
  const indexSize = version > 0 ? sizes & 15 : 0
  const items = new Map<number, Item>()
  for (let count = read(version > 1 ? 4 : 2); count > 0; count--) {
    const id = read(version > 1 ? 4 : 2)
    const method = version > 0 ? read(2) & 15 : 0
    read(2)
    const base = read(baseSize)
    const source = method === 0 ? file : method === 1 ? idat : undefined
    const extents: [number, number][] = []
    const extentCount = read(2)
    if (extentCount > 1 && lengthSize === 0) throw corrupt('extents without a length')
    for (let i = 0; i < extentCount; i++) {
      read(indexSize)
      extents.push([base + read(offsetSize), read(lengthSize)])
    }
    items.set(id, {
      type: types.get(id) ?? '',
      data: () => joinExtents(source ?? Buffer.alloc(0), extents),
      properties: properties.get(id) ?? [],
    })
  }
  return items
}

function joinExtents(source: Buffer, extents: readonly [number, number][]): Buffer {
  const total = extents.reduce((sum, [, length]) => sum + length, 0)
  if (total > source.length || extents.some(([from, length]) => from + length > source.length))
    throw imageError('truncated', 'AVIF: an item ends after the end of the file')
  const parts = extents.map(([from, length]) =>
    source.subarray(from, length ? from + length : undefined),
  )
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
}

function readTypes(iinf: Box): Map<number, string> {
  const types = new Map<number, string>()
  for (const entry of boxesOf(iinf.body.subarray(fullBox(iinf).version > 0 ? 8 : 6))) {
    const isWide = fullBox(entry).version > 2
    const at = isWide ? 10 : 8
    types.set(readId(entry.body, 4, isWide), entry.body.toString('latin1', at, at + 4))
  }
  return types
}

function readProperties(iprp: readonly Box[]): Map<number, Property[]> {
  const known = boxesOf(boxOf(iprp, 'ipco').body)
  const properties = new Map<number, Property[]>()
  for (const box of iprp.filter(({ type }) => type === 'ipma')) {
    const { version, flags } = fullBox(box)
    const read = reader(box)
    const indexSize = flags & 1 ? 2 : 1
    const essential = flags & 1 ? 0x8000 : 0x80
    for (let count = read(4); count > 0; count--) {
      const id = read(version > 0 ? 4 : 2)
      const own = properties.get(id) ?? []
      for (let entries = read(1); entries > 0; entries--) {
        const entry = read(indexSize)
        const property = known[(entry & (essential - 1)) - 1]
        if (property) own.push({ box: property, isEssential: (entry & essential) !== 0 })
      }
      properties.set(id, own)
    }
  }
  return properties
}

interface ItemReference {
  type: string
  from: number
  to: number[]
}

function readReferences(boxes: readonly Box[]): ItemReference[] {
  const iref = boxes.find(({ type }) => type === 'iref')
  if (!iref) return []
  const size = fullBox(iref).version > 0 ? 4 : 2
  return boxesOf(iref.body.subarray(4)).map(({ type, body }) => ({
    type,
    from: body.readUIntBE(0, size),
    to: Array.from({ length: body.readUInt16BE(size) }, (_, i) =>
      body.readUIntBE(size + 2 + i * size, size),
    ),
  }))
}

function sizeOf({ properties }: Item): Pick<Pixels, 'width' | 'height'> {
  const { body } = boxOf(
    properties.map(({ box }) => box),
    'ispe',
  )
  return { width: body.readUInt32BE(4), height: body.readUInt32BE(8) }
}

function readGrid(data: Buffer): Grid {
  const size = data.readUInt8(1) & 1 ? 4 : 2
  return {
    rows: data.readUInt8(2) + 1,
    columns: data.readUInt8(3) + 1,
    width: data.readUIntBE(4, size),
    height: data.readUIntBE(4 + size, size),
  }
}

/** Returns what the container states of the colours, which counts for more than what the coded image states. */
function readColors({ properties }: Item) {
  const nclx = properties.find(
    ({ box }) => box.type === 'colr' && box.body.toString('latin1', 0, 4) === 'nclx',
  )?.box.body
  return nclx
    ? {
        primaries: nclx.readUInt16BE(4),
        matrix: nclx.readUInt16BE(8),
        isFullRange: nclx.readUInt8(10) >= 128,
      }
    : undefined
}

const makeBox = (type: string, ...parts: (Buffer | number[])[]): Buffer => {
  const body = Buffer.concat(parts.map(part => Buffer.from(part)))
  const head = Buffer.alloc(8)
  head.writeUInt32BE(8 + body.length)
  head.write(type, 4, 'latin1')
  return Buffer.concat([head, body])
}

/** Properties that change an image after it is decoded, or describe its colours. */
const leftOut = new Set(['colr', 'irot', 'imir', 'clap'])

/** Writes a file of one coded image, whose planes are stated to be RGB of full range: libheif then passes them on. */
function fileOf({ data: read, properties }: Item): Buffer {
  const data = read()
  const kept = properties.filter(({ box }) => !leftOut.has(box.type))
  const planes = makeBox('colr', Buffer.from('nclx'), [0, 1, 0, 13, 0, 0, 0x80])
  const entries = kept.map(({ isEssential }, i) => (i + 1) | (isEssential ? 0x80 : 0))
  const full = [0, 0, 0, 0]
  const uint32 = (value: number) => [
    value >>> 24,
    (value >> 16) & 255,
    (value >> 8) & 255,
    value & 255,
  ]
  const type = makeBox('ftyp', Buffer.from('avif'), full, Buffer.from('avifmif1miaf'))
  const metaOf = (offset: number) =>
    makeBox(
      'meta',
      full,
      makeBox('hdlr', full, full, Buffer.from('pict'), Buffer.alloc(13)),
      makeBox('pitm', full, [0, 1]),
      makeBox('iloc', full, [0x44, 0, 0, 1, 0, 1, 0, 0, 0, 1], uint32(offset), uint32(data.length)),
      makeBox(
        'iinf',
        full,
        [0, 1],
        makeBox('infe', [2, 0, 0, 0, 0, 1, 0, 0], Buffer.from('av01\0')),
      ),
      makeBox(
        'iprp',
        makeBox('ipco', ...kept.map(({ box }) => box.whole), planes),
        makeBox('ipma', full, [0, 0, 0, 1, 0, 1, kept.length + 1, ...entries, kept.length + 1]),
      ),
    )
  const head = type.length + metaOf(0).length + 8
  return Buffer.concat([type, metaOf(head), makeBox('mdat', data)])
}
