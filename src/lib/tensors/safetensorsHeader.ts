/**
 * Reads the JSON of a safetensors header by hand: JSON.parse keeps the last of two equal keys in silence, turns
 * `1e3` into a length, and gives a 100 MB header to the heap as objects. A fault is a SyntaxError.
 */
import { quoteForMessage } from '../errors.ts'

export interface HeaderTensor {
  dtype: string
  shape: number[]
  start: number
  end: number
}

export interface SafetensorsHeader {
  tensors: Map<string, HeaderTensor>
  metadata: Map<string, string>
}

interface Cursor {
  text: string
  at: number
}

const maxDepth = 32
const maxDimensions = 32
const maxKeys = 100_000

export function parseHeader(text: string): SafetensorsHeader {
  const c: Cursor = { text, at: 0 }
  const header: SafetensorsHeader = { tensors: new Map(), metadata: new Map() }
  if (text[0] !== '{') throw fault(c, 'it does not begin with {')
  readObject(c, 'name', key => {
    if (key === '__metadata__')
      readObject(c, 'metadata key', name => header.metadata.set(name, readString(c)))
    else header.tensors.set(key, readTensorInfo(c))
  })
  skipSpace(c)
  if (c.at !== text.length) throw fault(c, 'text after the last }')
  return header
}

function readTensorInfo(c: Cursor): HeaderTensor {
  let dtype: string | undefined
  let shape: number[] | undefined
  let offsets: number[] | undefined
  readObject(c, 'field', key => {
    if (key === 'dtype') dtype = readString(c)
    else if (key === 'shape') shape = readLengths(c)
    else if (key === 'data_offsets') offsets = readLengths(c)
    else skipValue(c, 0)
  })
  if (dtype === undefined || !shape || offsets?.length !== 2)
    throw fault(c, 'a tensor needs dtype, shape and two data_offsets')
  return { dtype, shape, start: offsets[0]!, end: offsets[1]! }
}

function readObject(c: Cursor, what: string, readMember: (key: string) => void): void {
  const seen = new Set<string>()
  readItems(c, '{}', () => {
    const key = readString(c)
    if (seen.has(key)) throw fault(c, `duplicate ${what} ${quoteForMessage(key)}`)
    if (seen.size === maxKeys) throw fault(c, `more than ${maxKeys} keys`)
    seen.add(key)
    expect(c, ':')
    readMember(key)
  })
}

function readLengths(c: Cursor): number[] {
  const lengths: number[] = []
  readItems(c, '[]', () => {
    if (lengths.length === maxDimensions) throw fault(c, `more than ${maxDimensions} numbers`)
    lengths.push(readLength(c))
  })
  return lengths
}

function readItems(c: Cursor, brackets: '[]' | '{}', readItem: () => void): void {
  expect(c, brackets[0]!)
  if (accept(c, brackets[1]!)) return
  do readItem()
  while (accept(c, ','))
  expect(c, brackets[1]!)
}

function readLength(c: Cursor): number {
  const digits = match(c, /(?:0|[1-9]\d{0,19})(?![\d.eE])/y)
  const value = Number(digits)
  if (digits === undefined) throw fault(c, 'not a whole number from 0 on')
  if (!Number.isSafeInteger(value)) throw fault(c, `too large a number: ${digits}`)
  return value
}

function readString(c: Cursor): string {
  expect(c, '"')
  const from = c.at - 1
  while (c.text[c.at] !== '"') {
    if (c.at >= c.text.length) throw fault(c, 'a string without an end')
    c.at += c.text[c.at] === '\\' ? 2 : 1
  }
  c.at++
  const value = unescaped(c.text.slice(from, c.at))
  if (value === undefined) throw fault(c, 'a malformed string')
  return value
}

function unescaped(quoted: string): string | undefined {
  try {
    const value = JSON.parse(quoted) as string
    return /\p{Surrogate}/u.test(value) ? undefined : value
  } catch {
    return undefined
  }
}

function skipValue(c: Cursor, depth: number): void {
  if (depth === maxDepth) throw fault(c, `values nested deeper than ${maxDepth}`)
  skipSpace(c)
  const next = c.text[c.at]
  if (next === '{')
    readObject(c, 'key', () => {
      skipValue(c, depth + 1)
    })
  else if (next === '[')
    readItems(c, '[]', () => {
      skipValue(c, depth + 1)
    })
  else if (next === '"') readString(c)
  else if (
    match(c, /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)/y) === undefined
  )
    throw fault(c, 'not a value')
}

function match(c: Cursor, sticky: RegExp): string | undefined {
  skipSpace(c)
  sticky.lastIndex = c.at
  const found = sticky.exec(c.text)?.[0]
  c.at += found?.length ?? 0
  return found
}

function accept(c: Cursor, character: string): boolean {
  skipSpace(c)
  if (c.text[c.at] !== character) return false
  c.at++
  return true
}

function expect(c: Cursor, character: string): void {
  if (!accept(c, character)) throw fault(c, `no ${character}`)
}

function skipSpace(c: Cursor): void {
  while (c.at < c.text.length && ' \n\r\t'.includes(c.text[c.at]!)) c.at++
}

const fault = (c: Cursor, what: string): SyntaxError =>
  new SyntaxError(`${what} (character ${c.at})`)
