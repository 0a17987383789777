import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { readTensor, type TensorFile } from '../../../src/lib/tensors/tensors.ts'
import { readWeights } from '../../../src/lib/tensors/readWeights.ts'
import { shared, sharedPath } from '../../helpers/shared.ts'
import {
  bytesOf,
  dict,
  int,
  legacyCheckpoint,
  ops,
  pickle,
  tensor,
  text,
  tuple,
  zipCheckpoint,
  zipOf,
} from './torchFiles.ts'
import { weightFileReader } from './weightFile.ts'

const read = weightFileReader()

async function valuesOf(file: TensorFile): Promise<Record<string, number[]>> {
  const pairs = [...file.tensors].map(
    async ([name, entry]) => [name, Array.from(await readTensor(entry), Number)] as const,
  )
  return Object.fromEntries(await Promise.all(pairs))
}

const six = Float32Array.of(1, 2, 3, 4, 5, 6)
const plain = tensor({ key: '0', size: 6, shape: [2, 3], strides: [3, 1] })
const storages = { 0: bytesOf(six) }

describe('readWeights of zip checkpoints', () => {
  it('points at contiguous tensors in the file, and at slices of a storage', async () => {
    const row = tensor({ key: '0', size: 6, offset: 3, shape: [1, 3], strides: [99, 1] })
    const file = await read(zipCheckpoint(dict({ w: plain, row }), storages))
    expect(await valuesOf(file)).toEqual({ w: [1, 2, 3, 4, 5, 6], row: [4, 5, 6] })
    const raw = await readFile(file.file)
    const { offset, length } = file.tensors.get('w')!
    expect(raw.subarray(offset, offset + length)).toEqual(Buffer.from(bytesOf(six)))
    expect(file.tensors.get('row')).toMatchObject({
      offset: offset + 12,
      length: 12,
      shape: [1, 3],
    })
    expect(file.tensors.get('row')!.data).toBeUndefined()
  })

  it('gathers transposed views into data', async () => {
    const turned = tensor({ key: '0', size: 6, shape: [3, 2], strides: [1, 3] })
    const file = await read(zipCheckpoint(dict({ turned }), storages))
    expect(file.tensors.get('turned')!.data).toHaveLength(24)
    expect(await valuesOf(file)).toEqual({ turned: [1, 4, 2, 5, 3, 6] })
  })

  it('reads every storage type, scalars and empty tensors', async () => {
    const kinds = {
      Long: BigInt64Array.of(-5n),
      Int: Int32Array.of(-5),
      Short: Int16Array.of(-5),
      Char: Int8Array.of(-5),
    }
    const more = {
      Double: Float64Array.of(-5),
      Byte: Uint8Array.of(5),
      Bool: Uint8Array.of(1),
      Half: Uint16Array.of(0xc500),
    }
    const all = Object.entries({ ...kinds, ...more, BFloat16: Uint16Array.of(0xc0a0) })
    const tensors = Object.fromEntries(
      all.map(([name]) => [
        name,
        tensor({ type: `${name}Storage`, key: name, size: 1, shape: [], strides: [] }),
      ]),
    )
    const empty = tensor({ key: 'e', size: 0, shape: [0, 3], strides: [3, 1] })
    const data = Object.fromEntries(all.map(([name, values]) => [name, bytesOf(values)]))
    const file = await read(
      zipCheckpoint(dict({ ...tensors, empty }), { ...data, e: new Uint8Array(0) }),
    )
    const five = {
      Long: [-5],
      Int: [-5],
      Short: [-5],
      Char: [-5],
      Double: [-5],
      Half: [-5],
      BFloat16: [-5],
    }
    expect(await valuesOf(file)).toEqual({ ...five, Byte: [5], Bool: [1], empty: [] })
  })

  it('finds the largest dict of tensors, prefers usual names among equals, strips module.', async () => {
    const wrapped = dict({ 'module.a': plain, 'module.b': plain })
    const value = dict({
      epoch: int(3),
      best: tensor({ key: '0', size: 6, shape: [], strides: [] }),
      ema: wrapped,
      state_dict: wrapped,
    })
    const file = await read(zipCheckpoint(value, storages))
    expect([...file.tensors.keys()]).toEqual(['a', 'b'])
    expect(file.metadata.stateDict).toBe('state_dict')
    const some = await read(zipCheckpoint(dict({ 'module.a': plain, b: plain }), storages))
    expect([...some.tensors.keys()]).toEqual(['module.a', 'b'])
  })

  it('refuses two sets of weights with different values, and passes over the options of a training script', async () => {
    const other = tensor({ key: '1', size: 6, shape: [2, 3], strides: [3, 1] })
    const both = dict({ model: dict({ a: plain }), model_ema: dict({ a: other }) })
    await expect(read(zipCheckpoint(both, { ...storages, 1: bytesOf(six) }))).rejects.toThrow(
      /several sets of weights, model and model_ema: save the one you mean alone/,
    )
    const averaged = dict({ n_averaged: int(2), 'module.a': plain })
    const options = ops('cargparse\nNamespace\n', ops(')'), '\x81', dict({ lr: int(1) }), 'b')
    const milestones = ops('ccollections\nCounter\n', tuple(dict({})), 'R')
    const steps = ops('ccollections\ndeque\n', tuple(ops(']')), 'R(', int(1), 'e')
    const record = dict({ model: averaged, args: options, milestones, steps })
    const file = await read(zipCheckpoint(record, storages))
    expect([...file.tensors.keys()]).toEqual(['a'])
  })

  it('reads the weights of a TorchScript program under the names of its modules', async () => {
    const object = (name: string, items: Record<string, Uint8Array>): Buffer =>
      ops(`c__torch__.torch.nn\n${name}\n`, ')\x81', dict(items), 'b')
    const linear = object('Linear', { weight: plain, training: ops('\x89') })
    const sizes = ops('ctorch.jit._pickle\nbuild_intlist\n', tuple(ops('](', int(1), 'e')), 'R')
    const row = tensor({ key: '0', size: 6, offset: 3, shape: [3], strides: [1] })
    const model = object('Model', { scale: row, sizes, layers: object('List', { 0: linear }) })
    const members = [
      { name: 'a/data.pkl', data: pickle(model) },
      { name: 'a/constants.pkl', data: pickle(tuple()) },
      { name: 'a/data/0', data: bytesOf(six) },
    ]
    const file = await read(zipOf(members))
    expect(await valuesOf(file)).toEqual({
      scale: [4, 5, 6],
      'layers.0.weight': [1, 2, 3, 4, 5, 6],
    })
  })

  it('passes over the numbers, types, paths and records of training scripts', async () => {
    const type = ops('cnumpy\ndtype\n', tuple(text('f8')), 'R', tuple(int(3)), 'b')
    const number = ops('cnumpy.core.multiarray\nscalar\n', tuple(type, text('12345678')), 'R')
    const path = ops('cpathlib\nPosixPath\n', tuple(text('/data')), 'R')
    const config = ops('cyacs.config\nCfgNode\n', ')\x81', '(', text('lr'), int(1), 'u')
    const half = ops('ctorch\nfloat16\n')
    const all = { model: dict({ a: plain }), number, path, config, half }
    const file = await read(zipCheckpoint(dict(all), storages))
    expect([...file.tensors.keys()]).toEqual(['a'])
  })

  it('reads parameters, Python 2 names, sets, protocol 4 and zip64', async () => {
    const parameter = ops(
      'ctorch._utils\n_rebuild_parameter\n',
      tuple(plain, ops('\x88'), ops(')')),
      'R',
    )
    const pairs = ops(
      'ccollections\nOrderedDict\n',
      tuple(ops('](', tuple(ops('U\x01w'), parameter), 'e')),
      'R',
    )
    const value = ops('\x95\0\0\0\0\0\0\0\0}', text('a'), '\x94', pairs, 's')
    const members = [
      { name: 'x/data.pkl', data: pickle(value), long: true },
      { name: 'x/data/0', data: bytesOf(six), long: true },
    ]
    const file = await read(zipOf(members))
    expect(await valuesOf(file)).toEqual({ w: [1, 2, 3, 4, 5, 6] })
  })

  it('keeps a tensor named __proto__ as a name', async () => {
    const value = ops('}', text('__proto__'), plain, 's')
    const file = await read(zipCheckpoint(value, storages))
    expect([...file.tensors.keys()]).toEqual(['__proto__'])
    expect(({} as Record<string, unknown>).shape).toBeUndefined()
  })
})

describe('readWeights of legacy checkpoints', () => {
  it('finds the storages behind the pickles', async () => {
    const other = tensor({ type: 'LongStorage', key: 'k', size: 1, shape: [], strides: [] })
    const content = legacyCheckpoint(dict({ w: plain, n: other }), [
      ['k', 1, bytesOf(BigInt64Array.of(7n))],
      ['0', 6, bytesOf(six)],
    ])
    expect(await valuesOf(await read(content))).toEqual({ w: [1, 2, 3, 4, 5, 6], n: [7] })
  })

  it('refuses a wrong count, a missing storage, a cut file and a foreign pickle', async () => {
    const value = dict({ w: plain })
    await expect(read(legacyCheckpoint(value, [['0', 5, bytesOf(six)]]))).rejects.toThrow(
      'does not have its 6 values',
    )
    await expect(read(legacyCheckpoint(value, []))).rejects.toThrow('1 storages are missing')
    await expect(read(legacyCheckpoint(value, [['9', 6, bytesOf(six)]]))).rejects.toThrow(
      'not that of its tensors',
    )
    await expect(
      read(legacyCheckpoint(value, [['0', 6, bytesOf(six)]]).subarray(0, -1)),
    ).rejects.toThrow('cut off')
    await expect(read(pickle(dict({ a: int(1) })))).rejects.toThrow('without the magic number')
  })
})

describe('hostile checkpoints', () => {
  const tooBig = { key: '0', size: 6, shape: [7], strides: [1] }
  const count = (n: number) => Buffer.from(BigUint64Array.of(BigInt(n)).buffer)
  const manyDicts = (pairs: number, dicts: number) =>
    ops(
      ']q\0(',
      ops(text('key'), 'N\x86').toString('latin1').repeat(pairs),
      'e0',
      'ccollections\nOrderedDict\nq\x01',
      '0',
      'h\x01h\0\x85R0'.repeat(dicts),
      '}',
    )
  const pickles: [string, Buffer, RegExp][] = [
    [
      'a call of os.system',
      ops('cposix\nsystem\n', tuple(text('touch PWNED')), 'R'),
      /asks for "posix.system"/,
    ],
    ['a name on the stack', ops(text('os'), text('system'), '\x93'), /asks for "os.system"/],
    ['an instance', ops('(ios\nsystem\n'), /opcode "i"/],
    ['a new object', ops('ccollections\nOrderedDict\n)\x81'), /opcode/],
    ['an extension code', ops('\x82\x01'), /opcode/],
    ['a call of data', ops(text('x'), ')R'), /not a known name/],
    ['a storage type called', ops('ctorch\nFloatStorage\n)R'), /not a known name/],
    ['state on a list', ops(']}b'), /not a dict/],
    ['marks', ops('('.repeat(5000)), /nested deeper than 1000/],
    ['a tower of lists', ops(']'.repeat(200_000)), /on the stack/],
    ['dicts without end', ops(']', '}a'.repeat(2_000_000)), /more than 150000 containers/],
    ['one list of pairs for many dicts', manyDicts(1000, 1000), /more than 150000 containers/],
    ['opcodes without end', ops('N0'.repeat(3_000_000)), /more than 500000 opcodes/],
    ['text longer than the file', ops('X\xff\xff\xff\xff'), /ends too early/],
    ['bytes of 2^63', ops('\x8e', count(2 ** 63)), /ends too early/],
    ['a name without an end', ops('c', 'a'.repeat(10_000)), /name without an end/],
    ['an unknown memo', ops('h\x05'), /nothing kept/],
    ['an empty stack', ops('0'), /nothing on the stack/],
    ['a pop through a mark', ops('N(a'), /nothing on the stack/],
    ['a key without value', ops('}(Nu'), /key without a value/],
    ['an append to a number', ops('NNa'), /not a list/],
    [
      'a tensor beyond its storage',
      dict({ w: tensor(tooBig) }),
      /tensor of 7 values in a storage of 6/,
    ],
    [
      'strides beyond its storage',
      dict({ w: tensor({ ...tooBig, shape: [2], strides: [6] }) }),
      /of 7 values/,
    ],
    [
      'too few strides',
      dict({ w: tensor({ ...tooBig, shape: [2, 2], strides: [1] }) }),
      /without a size/,
    ],
    ['a negative offset', dict({ w: tensor({ ...tooBig, offset: -1 }) }), /not described/],
    [
      'a size that overflows',
      dict({ w: tensor({ ...tooBig, shape: [2 ** 31 - 1, 2 ** 31 - 1], strides: [0, 0] }) }),
      /without a size/,
    ],
    [
      'values repeated by stride 0',
      dict({ w: tensor({ ...tooBig, shape: [2 ** 31 - 1], strides: [0] }) }),
      /repeats values/,
    ],
    [
      'one storage of two kinds',
      dict({ w: plain, v: tensor({ type: 'IntStorage', ...tooBig }) }),
      /two kinds/,
    ],
    [
      'a storage that is not there',
      dict({ w: tensor({ ...tooBig, key: '../0', shape: [1] }) }),
      /"..\/0" is missing/,
    ],
    ['a key of a dict used as storage', ops(tuple(text('storage')), 'Q'), /not a storage/],
    ['no tensors', dict({ epoch: int(1) }), /no tensors/],
    ['tensors in a cycle', ops('}q\0', text('self'), 'h\0s'), /no tensors/],
  ]
  it.each(pickles)('refuses %s', async (_, value, message) => {
    const started = performance.now()
    const error: unknown = await read(zipCheckpoint(value, storages)).catch((e: unknown) => e)
    expect(error).toMatchObject({ name: 'GeogapError', kind: 'weights', code: 'bad-checkpoint' })
    expect((error as Error).message).toMatch(message)
    expect((error as Error).message).not.toContain('\n')
    expect(performance.now() - started).toBeLessThan(5000)
  })

  const data = pickle(dict({ w: plain }))
  const good = { name: 'a/data.pkl', data }
  const values = { name: 'a/data/0', data: bytesOf(six) }
  const archives: [string, Buffer, RegExp][] = [
    ['a compressed pickle', zipOf([{ ...good, method: 8 }, values]), /"a\/data.pkl" is compressed/],
    ['a compressed storage', zipOf([good, { ...values, method: 8 }]), /"a\/data\/0" is compressed/],
    ['an encrypted member', zipOf([good, { ...values, flags: 1 }]), /encrypted/],
    [
      'a length that lies',
      zipOf([good, { ...values, length: 1 << 30 }]),
      /states \d+ bytes, more than the archive has/,
    ],
    ['a storage too short', zipOf([good, { ...values, length: 23 }]), /23 bytes instead of 24/],
    ['a member twice', zipOf([good, values, values]), /two members are named/],
    ['two names for a member', zipOf([good, { ...values, localName: 'a/data/1' }]), /two names/],
    ['a wrong count', zipOf([good, values], 3), /lists 2 members and states 3/],
    ['no pickle', zipOf([values]), /0 members NAME\/data.pkl/],
    ['two pickles', zipOf([good, { ...good, name: 'b/data.pkl' }]), /2 members/],
    [
      'a program whose weights are part of its code',
      zipOf([
        { ...good, data: pickle(dict({})) },
        { ...good, name: 'a/constants.pkl' },
      ]),
      /TorchScript program whose weights are part of its code/,
    ],
    [
      'big-endian values',
      zipOf([good, values, { name: 'a/byteorder', data: Buffer.from('big') }]),
      /big-endian/,
    ],
    [
      'a zip64 size that lies',
      zipOf([good, { ...values, length: 2 ** 52, long: true }]),
      /states \d+ bytes, more than the archive has/,
    ],
    ['a cut archive', zipOf([good, values]).subarray(0, -9), /no end record/],
  ]
  it.each(archives)('refuses %s', async (_, content, message) => {
    await expect(read(content)).rejects.toThrow(message)
  })
})

interface Expected {
  shape: number[]
  dtype: string
  values: number[]
}

describe.skipIf(!shared)('golden checkpoints (need ../shared)', () => {
  const mostListed = 200
  const dtypes: Record<string, string> = {
    float32: 'F32',
    int64: 'I64',
    float16: 'F16',
    bfloat16: 'BF16',
  }

  it.each([
    ['state_dict_zip.pth', 'state_dict'],
    ['training_checkpoint_zip.pth.tar', 'state_dict'],
    ['training_checkpoint_legacy.pth.tar', 'state_dict'],
  ])('reads %s exactly', async (name, key) => {
    const good = sharedPath('golden/checkpoints/good')
    const all = JSON.parse(await readFile(`${good}/expected.json`, 'utf8')) as Record<
      string,
      Record<string, Expected>
    >
    const expected = Object.entries(all[key]!).map(
      ([tensor, value]) => [tensor.replace('module.', ''), value] as const,
    )
    const { tensors } = await readWeights(`${good}/${name}`)
    expect([...tensors.keys()]).toEqual(expected.map(([tensor]) => tensor))
    for (const [tensor, { shape, dtype, values }] of expected) {
      const entry = tensors.get(tensor)!
      expect(entry).toMatchObject({ shape, dtype: dtypes[dtype] })
      const read = Array.from(await readTensor(entry), Number)
      expect(read).toHaveLength(shape.reduce((a, b) => a * b, 1))
      expect(read.slice(0, mostListed)).toEqual(values)
    }
  })

  it('reads parameters.pth exactly', async () => {
    const good = sharedPath('golden/checkpoints/good')
    const all = JSON.parse(await readFile(`${good}/expected.json`, 'utf8')) as Record<
      string,
      Record<string, unknown>
    >
    const file = await readWeights(`${good}/parameters.pth`)
    expect(file.tensors.get('weight')!.shape).toEqual([2, 3])
    expect(await valuesOf(file)).toEqual(all['parameters.pth'])
  })
})
