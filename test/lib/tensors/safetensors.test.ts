import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readSafetensors, writeSafetensors } from '../../../src/lib/tensors/safetensors.ts'
import { readTensor } from '../../../src/lib/tensors/tensors.ts'
import { shared, sharedPath } from '../../helpers/shared.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-safetensors-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function fileOf(
  header: string | object,
  data: Uint8Array = new Uint8Array(0),
): Promise<string> {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  const file = join(folder, 'case.safetensors')
  await writeFile(file, Buffer.concat([length, json, data]))
  return file
}

const one = (dtype: string, shape: number[], bytes: number) => ({
  a: { dtype, shape, data_offsets: [0, bytes] },
})
const bytesOf = (values: ArrayBufferView) =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength)

describe('writeSafetensors', () => {
  it('gives back what was written, with absolute offsets, and leaves no temporary file', async () => {
    const file = join(folder, 'round.safetensors')
    const tensors = [
      { name: 'stem.weight', shape: [2, 3], data: Float32Array.of(1, -2, 3.5, 0, NaN, Infinity) },
      { name: '__proto__', shape: [], data: Float32Array.of(7) },
      { name: 'empty', shape: [0, 4], data: new Float32Array(0) },
      { name: 'naïve ✓', shape: [1], data: Float32Array.of(-0) },
    ]
    await writeSafetensors(file, tensors)
    const read = await readSafetensors(file)
    expect([...read.tensors.keys()].sort()).toEqual(tensors.map(t => t.name).sort())
    const raw = await readFile(file)
    for (const { name, shape, data } of tensors) {
      const entry = read.tensors.get(name)!
      expect(entry).toMatchObject({ name, shape, dtype: 'F32', file, length: data.byteLength })
      expect(await readTensor(entry)).toEqual(data)
      expect(raw.subarray(entry.offset, entry.offset + entry.length)).toEqual(
        Buffer.from(bytesOf(data)),
      )
    }
    expect(read.tensors.get('stem.weight')!.offset % 8).toBe(0)
    expect(await readdir(folder)).toEqual(['round.safetensors'])
  })

  it('refuses a name twice, a reserved name and a wrong count', async () => {
    const file = join(folder, 'never.safetensors')
    const a = { name: 'a', shape: [1], data: Float32Array.of(1) }
    await expect(writeSafetensors(file, [a, a])).rejects.toThrow('twice or reserved: "a"')
    await expect(writeSafetensors(file, [{ ...a, name: '__metadata__' }])).rejects.toThrow(
      'reserved',
    )
    await expect(writeSafetensors(file, [{ ...a, shape: [2] }])).rejects.toThrow(
      'of shape 2 has 1 values',
    )
    expect(await readdir(folder)).not.toContain('never.safetensors')
  })
})

describe('readTensor', () => {
  const cases: [string, ArrayBufferView, ArrayBufferView][] = [
    ['F32', Float32Array.of(1.5, -2), Float32Array.of(1.5, -2)],
    ['F64', Float64Array.of(Math.PI), Float64Array.of(Math.PI)],
    [
      'F16',
      Uint16Array.of(0x3c00, 0x8001, 0x7c00, 0x03ff, 0xfbff),
      Float32Array.of(1, -(2 ** -24), Infinity, 1023 * 2 ** -24, -65504),
    ],
    ['BF16', Uint16Array.of(0x3f80, 0xc000, 0x7f80), Float32Array.of(1, -2, Infinity)],
    ['I64', BigInt64Array.of(-(2n ** 63n), 1234n), BigInt64Array.of(-(2n ** 63n), 1234n)],
    ['I32', Int32Array.of(-7), Int32Array.of(-7)],
    ['I16', Int16Array.of(-300), Int16Array.of(-300)],
    ['I8', Int8Array.of(-8), Int8Array.of(-8)],
    ['U8', Uint8Array.of(255), Uint8Array.of(255)],
    ['BOOL', Uint8Array.of(0, 1), Uint8Array.of(0, 1)],
  ]
  it.each(cases)('reads %s', async (dtype, stored, values) => {
    const bytes = bytesOf(stored)
    const count = (stored as ArrayBufferView & { length: number }).length
    const { tensors } = await readSafetensors(
      await fileOf(one(dtype, [count], bytes.length), bytes),
    )
    expect(await readTensor(tensors.get('a')!)).toEqual(values)
  })

  it('says when the file became shorter', async () => {
    const { tensors } = await readSafetensors(await fileOf(one('F32', [2], 8), new Uint8Array(8)))
    await fileOf(one('F32', [2], 8), new Uint8Array(3))
    await expect(readTensor(tensors.get('a')!)).rejects.toThrow('tensor "a" needs 8 bytes')
  })
})

describe('readSafetensors', () => {
  it('keeps metadata, ignores unknown fields, allows trailing spaces', async () => {
    const header =
      '{"__metadata__":{"__proto__":"x","format":"pt"},"a":{"dtype":"U8","extra":[{"x":1.5e3}],"shape":[1],"data_offsets":[0,1]}}  '
    const read = await readSafetensors(await fileOf(header, Uint8Array.of(9)))
    expect(Object.entries(read.metadata)).toEqual([
      ['__proto__', 'x'],
      ['format', 'pt'],
    ])
    expect(Object.getPrototypeOf(read.metadata)).toBe(Object.prototype)
    expect(read.tensors.get('a')).toMatchObject({ dtype: 'U8', length: 1 })
  })

  const info = (fields: string) => `{"a":{${fields}}}`
  const refused: [string, string, RegExp][] = [
    ['array as header', '[]', /does not begin with \{/],
    ['leading space', ' {}', /does not begin with \{/],
    ['text after', '{} x', /text after/],
    ['missing dtype', info('"shape":[1],"data_offsets":[0,1]'), /needs dtype/],
    ['three offsets', info('"dtype":"U8","shape":[1],"data_offsets":[0,1,1]'), /two data_offsets/],
    [
      'field twice',
      info('"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]'),
      /duplicate field "dtype"/,
    ],
    ['exponent', info('"dtype":"U8","shape":[1e0],"data_offsets":[0,1]'), /not a whole number/],
    ['fraction', info('"dtype":"U8","shape":[1.0],"data_offsets":[0,1]'), /not a whole number/],
    ['leading zero', info('"dtype":"U8","shape":[01],"data_offsets":[0,1]'), /not a whole number/],
    ['metadata not text', '{"__metadata__":{"a":1}}', /no "/],
    ['deep nesting', info(`"x":${'['.repeat(100_000)}`), /nested deeper/],
    ['lone surrogate', '{"\\ud800":{}}', /malformed string/],
    ['control character', '{"a\nb":{}}', /malformed string/],
    ['many dimensions', info(`"shape":[${'1,'.repeat(1000)}1]`), /more than 32 numbers/],
    [
      'keys without end',
      `{"__metadata__":{${Array.from({ length: 100_001 }, (_, i) => `"${i}":""`).join(',')}}}`,
      /more than 100000 keys/,
    ],
    [
      'overflow',
      info('"dtype":"U8","shape":[9007199254740991,2],"data_offsets":[0,1]'),
      /of shape/,
    ],
    [
      'a number beyond 2^53',
      info('"dtype":"U8","shape":[9007199254740993],"data_offsets":[0,1]'),
      /too large/,
    ],
  ]
  it.each(refused)('refuses %s', async (_, header, message) => {
    const error: unknown = await readSafetensors(await fileOf(header, Uint8Array.of(1))).catch(
      (e: unknown) => e,
    )
    expect(error).toMatchObject({ name: 'GeogapError', kind: 'weights', code: 'bad-safetensors' })
    expect((error as Error).message).toMatch(message)
    expect((error as Error).message).not.toContain('\n')
  })

  it('refuses bytes that are not UTF-8, a folder and a missing file', async () => {
    const file = join(folder, 'latin.safetensors')
    await writeFile(file, Buffer.from([2, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0xff]))
    await expect(readSafetensors(file)).rejects.toThrow('not UTF-8')
    await expect(readSafetensors(folder)).rejects.toThrow('not a plain file')
    await symlink('nowhere', join(folder, 'dangling'))
    await expect(readSafetensors(join(folder, 'dangling'))).rejects.toThrow('no such weights file')
  })
})

describe.skipIf(!shared)('golden safetensors (needs ../shared)', () => {
  it('reads the good file', async () => {
    const { tensors, metadata } = await readSafetensors(
      sharedPath('golden/checkpoints/good/ok.safetensors'),
    )
    expect(metadata).toBeTypeOf('object')
    expect(tensors.size).toBeGreaterThan(0)
    for (const entry of tensors.values())
      expect(await readTensor(entry)).toHaveLength(entry.shape.reduce((a, b) => a * b, 1))
  })
})
