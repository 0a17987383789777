/**
 * Mutated weight files: whatever the bytes are, the answer is tensors that lie inside the file or a GeogapError.
 * GEOGAP_TORTURE=1 runs 1,000,000 safetensors headers and 100,000 pickles in place of a few thousand; 0.1 a tenth.
 */
import fc from 'fast-check'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { GeogapError } from '../../../src/lib/errors.ts'
import { readWeights } from '../../../src/lib/tensors/readWeights.ts'
import { readSafetensors } from '../../../src/lib/tensors/safetensors.ts'
import {
  readTensor,
  elementCount,
  type TensorEntry,
  type TensorFile,
} from '../../../src/lib/tensors/tensors.ts'
import { peakMemory } from '../../helpers/memory.ts'
import { measured, scaled } from '../../helpers/torture.ts'
import {
  bytesOf,
  dict,
  int,
  legacyCheckpoint,
  tensor,
  text,
  tuple,
  zipCheckpoint,
} from './torchFiles.ts'

const headers = scaled(1_200, 1_000_000)
const pickles = scaled(1_200, 100_000)
const hours = 4 * 3_600_000
const limit = 5_000

let folder: string
let file: string
let peakBefore: number
let accepted = 0
let slowest = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-fuzz-'))
  file = join(folder, 'case')
  peakBefore = peakMemory()
})
afterAll(() => rm(folder, { recursive: true }))

async function settle(
  content: Uint8Array,
  read: (file: string) => Promise<TensorFile>,
): Promise<TensorFile | undefined> {
  await writeFile(file, content)
  const started = performance.now()
  const result = await read(file).catch((error: unknown) => error)
  slowest = Math.max(slowest, performance.now() - started)
  expect(slowest).toBeLessThan(limit)
  if (!(result instanceof Error)) {
    accepted++
    return result as TensorFile
  }
  if (!(result instanceof GeogapError)) throw result
  expect(result.message).toMatch(/^[^\n]+$/)
  return undefined
}

async function expectSound(entry: TensorEntry, size: number): Promise<void> {
  expect(entry.offset).toBeGreaterThanOrEqual(0)
  if (!entry.data) expect(entry.offset + entry.length).toBeLessThanOrEqual(size)
  expect((await readTensor(entry)).length).toBe(elementCount(entry.shape))
}

async function expectNoTrace(what: string): Promise<void> {
  const grown = (peakMemory() - peakBefore) / 2 ** 20
  measured(
    `${what}: ${accepted} read, the others refused; ${slowest.toFixed(0)} ms at most, ${grown.toFixed(0)} MB more`,
  )
  expect(accepted).toBeGreaterThan(0)
  accepted = 0
  slowest = 0
  expect(await readdir(folder)).toEqual(['case'])
  expect(Object.keys(Object.prototype)).toEqual([])
  expect(grown).toBeLessThan(500)
}

interface Edit {
  at: number
  remove: number
  insert: Uint8Array
}

function mutated(base: Uint8Array, edits: Edit[], keep: number): Buffer {
  let bytes = Buffer.from(base)
  for (const { at, remove, insert } of edits) {
    const from = Math.floor(at * bytes.length)
    bytes = Buffer.concat([bytes.subarray(0, from), insert, bytes.subarray(from + remove)])
  }
  return bytes.subarray(0, Math.ceil(keep * bytes.length))
}

const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const keeps = fc.oneof({ weight: 9, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fraction })
const editsWith = (tokens: fc.Arbitrary<Uint8Array>) =>
  fc.array(fc.record({ at: fraction, remove: fc.nat(8), insert: tokens }), {
    minLength: 1,
    maxLength: 4,
  })
const unchanged: [[Edit[], number]] = [[[], 1]]
const bytes = fc.uint8Array({ maxLength: 6 })
const tokensOf = (...tokens: string[]) =>
  fc.constantFrom(...tokens).map(token => Buffer.from(token, 'latin1'))

function safetensors(json: string, data: Uint8Array, claimed = Buffer.byteLength(json)): Buffer {
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(claimed))
  return Buffer.concat([length, Buffer.from(json), data])
}

describe('mutated safetensors', () => {
  const json = JSON.stringify({
    __metadata__: { format: 'pt' },
    a: { dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] },
    'b.weight': { dtype: 'BF16', shape: [4], data_offsets: [24, 32] },
  })
  const words = tokensOf(
    '"',
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '-1',
    '1e9',
    '\\u0000',
    '"__proto__":',
    '"a":{',
    '99999999999999999999',
  )

  async function check(content: Uint8Array): Promise<void> {
    const read = await settle(content, readSafetensors)
    if (!read) return
    const entries = [...read.tensors.values()].sort(
      (a, b) => a.offset - b.offset || a.length - b.length,
    )
    const start = 8 + Number(Buffer.from(content).readBigUInt64LE())
    const end = entries.reduce(
      (at, entry) => (expect(entry.offset).toBe(at), at + entry.length),
      start,
    )
    expect(end).toBe(content.length)
    for (const entry of entries) await expectSound(entry, content.length)
  }

  it(`tiles the file or is refused: ${headers / 2} edits of text`, { timeout: hours }, async () => {
    const cases = fc.tuple(editsWith(fc.oneof(bytes, words)), keeps)
    const property = fc.asyncProperty(cases, async ([edits, keep]) => {
      const header = mutated(Buffer.from(json), edits, keep).toString('latin1')
      await check(safetensors(header, new Uint8Array(32)))
    })
    await fc.assert(property, { numRuns: headers / 2, examples: [unchanged] })
    await expectNoTrace(`${headers / 2} edits of safetensors headers`)
  })

  it(
    `tiles the file or is refused: ${headers / 2} headers of nearly right fields`,
    { timeout: hours },
    async () => {
      const number = fc.oneof(
        fc.constantFrom(0, 1, 2, 4, 8, 16, 24, 32),
        fc.constantFrom(-1, 0.5, 2 ** 31, 2 ** 53, 2 ** 64),
      )
      const dtype = fc.constantFrom(
        'F32',
        'F16',
        'BF16',
        'I64',
        'U8',
        'BOOL',
        'F8_E4M3',
        '',
        'toString',
      )
      const shape = fc.array(number, { maxLength: 3 })
      const info = fc.record(
        { dtype, shape, data_offsets: fc.tuple(number, number) },
        { requiredKeys: ['dtype', 'shape'] },
      )
      const name = fc.constantFrom('a', 'b', '__proto__', 'constructor', '')
      const entries = fc.array(fc.tuple(name, info), { maxLength: 3 })
      const cases = fc.tuple(
        entries,
        fc.nat(64),
        fc.option(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { freq: 20 }),
      )
      const property = fc.asyncProperty(cases, async ([pairs, dataLength, claimed]) => {
        const header = `{${pairs.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`
        const content = safetensors(header, new Uint8Array(dataLength))
        if (claimed !== null) content.writeBigUInt64LE(claimed)
        await check(content)
      })
      await fc.assert(property, {
        numRuns: headers / 2,
        examples: [[[[['a', { dtype: 'F32', shape: [2], data_offsets: [0, 8] }]], 8, null]]],
      })
      await expectNoTrace(`${headers / 2} safetensors headers of nearly right fields`)
    },
  )
})

describe('mutated checkpoints', () => {
  const six = bytesOf(Float32Array.of(1, 2, 3, 4, 5, 6))
  const w = tensor({ key: '0', size: 6, shape: [2, 3], strides: [3, 1] })
  const t = tensor({ key: '0', size: 6, shape: [3, 2], strides: [1, 3] })
  const value = dict({
    epoch: int(9),
    state_dict: dict({ 'module.w': w, 'module.t': t }),
    more: tuple(text('x')),
  })
  const opcodes = fc.integer({ min: 0, max: 255 }).map(code => Uint8Array.of(code))
  const words = tokensOf(
    '}',
    ']',
    ')',
    '(',
    't',
    'u',
    'R',
    'b',
    'h\0',
    'q\0',
    'Q',
    '2',
    '0',
    'J\xff\xff\xff\x7f',
    'J\xff\xff\xff\xff',
    'cos\nsystem\n',
    'X\x04\0\0\0evil',
  )
  const cases = fc.tuple(editsWith(fc.oneof(bytes, opcodes, words)), keeps)

  async function check(content: Uint8Array): Promise<void> {
    const read = await settle(content, readWeights)
    for (const entry of read?.tensors.values() ?? []) await expectSound(entry, content.length)
  }

  it(
    `lies inside the file or is refused: ${pickles / 2} pickles in whole archives`,
    { timeout: hours },
    async () => {
      const property = fc.asyncProperty(cases, ([edits, keep]) =>
        check(zipCheckpoint(mutated(value, edits, keep), { 0: six })),
      )
      await fc.assert(property, { numRuns: pickles / 2, examples: [unchanged] })
      await expectNoTrace(`${pickles / 2} pickles in whole archives`)
    },
  )

  const files = {
    zip: zipCheckpoint(value, { 0: six }),
    legacy: legacyCheckpoint(value, [['0', 6, six]]),
  }
  it.each(Object.entries(files))(
    `lies inside the file or is refused: ${pickles / 4} whole %s files`,
    async (kind, base) => {
      const property = fc.asyncProperty(cases, ([edits, keep]) => check(mutated(base, edits, keep)))
      await fc.assert(property, { numRuns: pickles / 4, examples: [unchanged] })
      await expectNoTrace(`${pickles / 4} whole ${kind} files`)
    },
    hours,
  )
})
