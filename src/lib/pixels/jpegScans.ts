/*
 * Decodes the scans of a JPEG file to the samples of its components. A progressive file's scans complete the coefficients of the
 * whole picture bit by bit; only those of the window are transformed after the last one.
 */
import { type JpegLayout, type JpegScan, layoutOfNextScan } from './jpeg.ts'
import { maxSamples, memoryRegions, type Workspace } from './pixelModule.ts'

/**
 * Decodes all scans to the planes that the module's fields describe. Returns false for damaged data and for what other decoders
 * treat in their own ways: scans out of order, or coefficients that no scan completes.
 */
export function decodeScans(work: Workspace, layout: JpegLayout): boolean {
  const { module, put, take, write } = work
  const { components, quantization, scan, coded } = layout
  const memory = new Uint8Array(module.memory.buffer)
  for (const [index, steps] of quantization)
    memory.set(new Uint8Array(steps.buffer), module.place(memoryRegions.steps) + 128 * index)
  const data = { from: put(coded), to: take(coded.length) }
  if (layout.isProgressive) return decodePasses(work, layout, data)
  for (const { component, dc, ac } of scan.parts) {
    write('components', [dc, ac], 32 * component + 12)
    if (!buildTable(work, scan, dc) || !buildTable(work, scan, ac)) return false
  }
  const { across, down } = mcusOf(layout, scan)
  const { end, ends, interval } = unstuff(work, layout, { ...data, mcus: across * down })
  if (coded[end + 1] !== 0xd9) return false
  return Boolean(module.scan(components.length, data.to, ends, interval))
}

/** More scans than any encoder writes; each costs a pass over the picture. */
const maxPasses = 64

/** Addresses of the rest of the file, and of room for it. */
interface CodedData {
  from: number
  to: number
}

function decodePasses(work: Workspace, first: JpegLayout, data: CodedData): boolean {
  const { module } = work
  if (!reserveCoefficients(work, first)) return false
  const known = new Int8Array(64 * first.components.length).fill(-1)
  let layout = first
  for (let pass = 0; pass < maxPasses; pass++) {
    if (!isInOrder(layout.scan, known)) return false
    const end = decodePass(work, layout, data)
    if (end === undefined) return false
    if (layout.coded[end + 1] === 0xd9) {
      if (known.some(bit => bit !== 0)) return false
      module.transform(first.components.length)
      return true
    }
    const next = layoutOfNextScan(layout, end)
    if (!next) return false
    data.from += layout.coded.length - next.coded.length
    layout = next
  }
  return false
}

/** Reserves zeros for all coefficients of the picture. Returns false if they are too many. */
function reserveCoefficients({ module, take, write }: Workspace, layout: JpegLayout): boolean {
  const { wide, tall } = layout.components[0]!
  const mcus = Math.ceil(layout.width / 8 / wide) * Math.ceil(layout.height / 8 / tall)
  if (mcus * 64 * (wide * tall + 2) > maxSamples) return false
  for (const [i, part] of layout.components.entries()) {
    const bytes = 128 * mcus * part.wide * part.tall
    const address = take(bytes)
    new Uint8Array(module.memory.buffer, address, bytes).fill(0)
    write('components', [address], 32 * i + 28)
  }
  return true
}

/**
 * Whether a progressive scan continues the coefficients where the earlier ones ended. `known` has the lowest bit of each that was
 * read, -1 before the first, and is brought up to date.
 */
function isInOrder({ parts, first, last, high, low }: JpegScan, known: Int8Array): boolean {
  if (last > 63 || low > 13 || (high > 0 && low !== high - 1)) return false
  if (first === 0 ? last > 0 : last < first || parts.length > 1) return false
  for (const { component } of parts) {
    if (first > 0 && known[64 * component]! < 0) return false
    for (let at = 64 * component + first; at <= 64 * component + last; at++) {
      if (known[at] !== (high === 0 ? -1 : high)) return false
      known[at] = low
    }
  }
  return true
}

/** Decodes a progressive scan. Returns where in the data the marker after it is; undefined for damaged data. */
function decodePass(work: Workspace, layout: JpegLayout, data: CodedData): number | undefined {
  const { scan } = layout
  const { parts, first, last, high, low } = scan
  for (const { component, dc, ac } of parts) {
    work.write('components', [dc, ac], 32 * component + 12)
    const hasCodes = first > 0 || high === 0
    if (hasCodes && !buildTable(work, scan, first > 0 ? ac : dc)) return undefined
  }
  const { across, down } = mcusOf(layout, scan)
  const which = parts.reduce((bits, { component }) => bits | (1 << component), 0)
  work.write('pass', [across, down, which, first, last, high, low])
  const { end, ends, interval } = unstuff(work, layout, { ...data, mcus: across * down })
  return end >= 0 && work.module.scanPass(data.to, ends, interval) ? end : undefined
}

/** Returns the MCUs of a scan across and down: single blocks without padding if it has one component. */
function mcusOf({ width, height, components }: JpegLayout, { parts }: JpegScan) {
  const { wide, tall } = components[0]!
  const only = parts.length === 1 ? components[parts[0]!.component]! : undefined
  return only
    ? {
        across: Math.ceil(Math.ceil((width * only.wide) / wide) / 8),
        down: Math.ceil(Math.ceil((height * only.tall) / tall) / 8),
      }
    : { across: Math.ceil(width / 8 / wide), down: Math.ceil(height / 8 / tall) }
}

/** Builds a Huffman table of a scan; codes of refined coefficients come without values. Returns false if it is not a table. */
function buildTable({ module }: Workspace, { huffman, high }: JpegScan, index: number): boolean {
  const codes = huffman.get(index)
  if (!codes) return false
  new Uint8Array(module.memory.buffer).set(codes, module.place(memoryRegions.spec))
  return Boolean(module.setTable(index, Number(index > 3 && high === 0)))
}

/** Copies a scan's data without stuffing. Returns the offset of the marker after them, negative if there is none. */
function unstuff(
  { module, take }: Workspace,
  { coded, scan: { restart } }: JpegLayout,
  { from, to, mcus }: CodedData & { mcus: number },
) {
  const interval = restart === 0 ? mcus : restart
  const intervals = Math.ceil(mcus / interval)
  const ends = take(4 * intervals)
  return { end: module.unstuff(from, coded.length, to, ends, intervals), ends, interval }
}
