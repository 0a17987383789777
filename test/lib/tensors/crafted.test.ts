/** Weight files that were made to harm: each is refused in one line, within a second, or read as it says. */
import { describe, expect, it } from 'vitest'
import { readTensor } from '../../../src/lib/tensors/tensors.ts'
import {
  dict,
  int,
  legacyCheckpoint,
  ops,
  pickle,
  tensor,
  text,
  zipCheckpoint,
  zipOf,
} from './torchFiles.ts'
import { weightFileReader } from './weightFile.ts'

const read = weightFileReader()

async function expectRefused(bytes: Uint8Array): Promise<void> {
  await expect(read(bytes)).rejects.toMatchObject({
    kind: 'weights',
    message: expect.stringMatching(/^cannot read weights [^\n]{20,600}$/) as string,
  })
}

function safetensors(header: string, data = 0, length = Buffer.byteLength(header)): Buffer {
  const prefix = Buffer.alloc(8)
  prefix.writeBigUInt64LE(BigInt(length))
  return Buffer.concat([prefix, Buffer.from(header), Buffer.alloc(data)])
}

const entry = (fields: string): string => `{"a":{"dtype":"F32","shape":[1],${fields}}}`

describe('crafted safetensors', () => {
  it.each<[string, Buffer]>([
    ['metadata that is no text', safetensors('{"__metadata__":{"format":3}}')],
    ['metadata that is a list', safetensors('{"__metadata__":["pt"]}')],
    ['metadata twice', safetensors('{"__metadata__":{},"__metadata__":{}}')],
    ['one offset below 0', safetensors(entry('"data_offsets":[-4,0]'), 4)],
    ['offsets turned round', safetensors(entry('"data_offsets":[4,0]'), 4)],
    ['three offsets', safetensors(entry('"data_offsets":[0,4,8]'), 8)],
    ['offsets as texts', safetensors(entry('"data_offsets":["0","4"]'), 4)],
    ['a length in exponents', safetensors(entry('"data_offsets":[0,4e0]'), 4)],
    ['a shape below 0', safetensors('{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}', 4)],
    [
      'a shape whose product wraps to 1',
      safetensors('{"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,1]}}', 1),
    ],
    [
      'a type of 8-bit floats',
      safetensors('{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}', 1),
    ],
    [
      'a type that objects inherit',
      safetensors('{"a":{"dtype":"toString","shape":[0],"data_offsets":[0,0]}}'),
    ],
    ['a field twice', safetensors(entry('"dtype":"F16","data_offsets":[0,4]'), 4)],
    ['a byte order mark', safetensors('\ufeff{}')],
    ['a comment', safetensors('{/**/}')],
    ['a NUL behind the header', safetensors('{}\0\0')],
    [
      'bytes that are no UTF-8',
      Buffer.concat([safetensors('{"\u0000'), Buffer.from([0xff, 0xfe])]),
    ],
    ['values nested 100,000 deep', safetensors(`{"a":{"x":${'['.repeat(1e5)}`)],
    ['a header that ends within a name', safetensors('{"aaaaaaaa', 0, 200)],
    [
      '200,000 tensors without values',
      safetensors(
        `{${Array.from({ length: 2e5 }, (_, i) => `"${i}":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`).join()}}`,
      ),
    ],
  ])(
    'with %s is refused',
    async (_, bytes) => {
      await expectRefused(bytes)
    },
    5000,
  )

  it('with hostile names and an empty tensor is read as it says', async () => {
    const header =
      '{"constructor":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"__proto__":{"dtype":"I8","shape":[0,7],"data_offsets":[4,4]}}'
    const { tensors } = await read(safetensors(header, 4))
    expect([...tensors.keys()]).toEqual(['constructor', '__proto__'])
    expect(await readTensor(tensors.get('constructor')!)).toEqual(Float32Array.of(0))
  })
})

const one = { key: '0', size: 1, shape: [1], strides: [1] }
const checkpoint = (value: Uint8Array): Buffer => zipCheckpoint(value, { 0: Buffer.alloc(4) })
const call = (module: string, name: string, args: Uint8Array): Buffer =>
  ops(`c${module}\n${name}\n`, args, 'R')

describe('crafted checkpoints', () => {
  it.each<[string, Buffer]>([
    ['a shape below 0', checkpoint(dict({ a: tensor({ ...one, shape: [-1] }) }))],
    ['a stride below 0', checkpoint(dict({ a: tensor({ ...one, strides: [-1] }) }))],
    ['an offset behind its storage', checkpoint(dict({ a: tensor({ ...one, offset: 1 }) }))],
    ['fewer strides than sizes', checkpoint(dict({ a: tensor({ ...one, shape: [1, 1] }) }))],
    [
      '33 dimensions',
      checkpoint(
        dict({
          a: tensor({
            ...one,
            shape: Array<number>(33).fill(1),
            strides: Array<number>(33).fill(1),
          }),
        }),
      ),
    ],
    [
      'a view that repeats a value 2^31 times',
      checkpoint(dict({ a: tensor({ ...one, shape: [2 ** 31 - 1], strides: [0] }) })),
    ],
    ['a storage of another member', checkpoint(dict({ a: tensor({ ...one, key: '../version' }) }))],
    [
      'a storage of an unknown kind',
      checkpoint(dict({ a: tensor({ ...one, type: 'EvilStorage' }) })),
    ],
    ['a call of a shell', checkpoint(call('posix', 'system', ops('(', text('id'), 't')))],
    ['a call of what a call gave', checkpoint(ops(call('builtins', 'set', ops('(]t')), '(tR'))],
    ['attributes of what has none', checkpoint(ops(int(1), dict({}), 'b'))],
    ['a mark that nothing is above', checkpoint(ops('t'))],
    ['2,000 open marks', checkpoint(ops('('.repeat(2000)))],
    ['a text of 2^63 bytes', checkpoint(ops('\x8d', Buffer.alloc(8, 0x7f)))],
    ['something kept that was never put', checkpoint(ops('h\x07'))],
    ['a list in itself', checkpoint(ops(']q\x00h\x00a'))],
    ['a dict in itself', checkpoint(ops('}q\x00', text('a'), 'h\x00s'))],
    ['a pickle without an end', zipOf([{ name: 'a/data.pkl', data: ops('\x80\x02}') }])],
    ['an empty pickle', zipOf([{ name: 'a/data.pkl', data: Buffer.alloc(0) }])],
    [
      'a program beside the values',
      zipOf([
        { name: 'a/data.pkl', data: pickle(dict({})) },
        { name: 'a/constants.pkl', data: pickle(dict({})) },
      ]),
    ],
    [
      'a legacy storage that states other values',
      legacyCheckpoint(dict({ a: tensor(one) }), [['0', 2, Buffer.alloc(8)]]),
    ],
    [
      'a legacy storage that nothing needs',
      legacyCheckpoint(dict({ a: tensor(one) }), [
        ['0', 1, Buffer.alloc(4)],
        ['1', 1, Buffer.alloc(4)],
      ]),
    ],
  ])(
    'with %s is refused',
    async (_, bytes) => {
      await expectRefused(bytes)
    },
    5000,
  )
})
