/** ONNX files that were made to read other files or to be read without end; protobuf joins repeated messages, so harm can be appended. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadModelSpec } from '../../src/models/loadModelSpec.ts'
import { prepareModel } from '../../src/models/runtime/prepareModel.ts'
import { colourGraph, headBytes, writeForeign } from './onnx/foreignGraph.ts'

let folder: string
let file: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-crafted-onnx-'))
  file = await writeForeign(join(folder, 'model'))
  await writeFile(join(folder, 'secret.bin'), headBytes())
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** A message with one field of bytes. */
const message = (field: number, content: Uint8Array): Uint8Array =>
  new BinaryWriter().tag(field, WireType.LengthDelimited).bytes(content).finish()

/** Appends fields to a model, or to its graph. */
function appended(model: Uint8Array, { graph, more }: Appended): Uint8Array {
  const reader = new BinaryReader(model)
  const parts: Uint8Array[] = []
  while (reader.pos < reader.len) {
    const start = reader.pos
    const [field, type] = reader.tag()
    if (field === 7) parts.push(message(7, Buffer.concat([reader.bytes(), graph ?? Buffer.of()])))
    else {
      reader.skip(type, field)
      parts.push(model.subarray(start, reader.pos))
    }
  }
  return Buffer.concat([...parts, more ?? Buffer.of()])
}

interface Appended {
  graph?: Uint8Array
  more?: Uint8Array
}

/** A tensor whose values are in another file. */
function external(location: string, more: Record<string, string> = {}): Uint8Array {
  const writer = new BinaryWriter()
    .tag(1, WireType.Varint)
    .int64(9)
    .tag(2, WireType.Varint)
    .int32(1)
    .tag(8, WireType.LengthDelimited)
    .string('secret')
  for (const [key, value] of Object.entries({ location, ...more }))
    writer
      .tag(13, WireType.LengthDelimited)
      .bytes(
        new BinaryWriter()
          .tag(1, WireType.LengthDelimited)
          .string(key)
          .tag(2, WireType.LengthDelimited)
          .string(value)
          .finish(),
      )
  return writer.tag(14, WireType.Varint).int32(1).finish()
}

const secret = external('../secret.bin')
/** A graph of one node whose attribute holds `content` in `field`. */
const nodeWith = (field: number, content: Uint8Array): Uint8Array =>
  message(1, message(5, message(field, content)))
const nested = Array.from({ length: 3000 }).reduce<Uint8Array>(
  inner => nodeWith(6, inner),
  new Uint8Array(0),
)

describe('a crafted ONNX file', () => {
  it.each<[string, Appended]>([
    ['a second graph whose weights are elsewhere', { more: message(7, message(5, secret)) }],
    ['an attribute that is elsewhere', { graph: nodeWith(5, secret) }],
    ['a list of attributes that are elsewhere', { graph: nodeWith(10, secret) }],
    ['a sparse tensor whose values are elsewhere', { graph: message(15, message(1, secret)) }],
    ['a sparse tensor whose places are elsewhere', { graph: message(15, message(2, secret)) }],
    ['a sparse attribute that is elsewhere', { graph: nodeWith(22, message(1, secret)) }],
    [
      'a function whose constant is elsewhere',
      { more: message(25, message(7, message(5, message(5, secret)))) },
    ],
    [
      'weights of training that are elsewhere',
      { more: message(20, message(1, message(5, secret))) },
    ],
    ['a branch whose weights are elsewhere', { graph: nodeWith(6, message(5, secret)) }],
    [
      'one of many branches whose weights are elsewhere',
      { graph: nodeWith(11, message(5, secret)) },
    ],
    ['3,000 graphs in each other', { graph: nested }],
    ['a place before the file', { graph: message(5, external('secret.bin', { offset: '-1' })) }],
    [
      'a place that is no number',
      { graph: message(5, external('secret.bin', { offset: '0x10' })) },
    ],
    ['a length without bounds', { graph: message(5, external('secret.bin', { length: '1e400' })) }],
    ['a name with a NUL', { graph: message(5, external('colours.onnx\0../secret.bin')) }],
    [
      'a varint of eleven bytes',
      { more: Buffer.from([0x08, ...Array<number>(10).fill(0xff), 0x01]) },
    ],
    ['a length beyond its end', { more: Buffer.from([0x3a, 0xff, 0xff, 0x7f]) }],
    ['a group that nobody ends', { more: Buffer.from([0x0b, 0x08, 0x01]) }],
    ['field number 0', { more: Buffer.from([0x00, 0x01]) }],
    ['an unknown wire type', { more: Buffer.from([0x0f, 0x01]) }],
  ])(
    'with %s is refused',
    async (_, fields) => {
      await writeFile(join(folder, 'model/colours.onnx'), appended(colourGraph(), fields))
      await expect(loadModelSpec(file).then(prepareModel)).rejects.toMatchObject({
        name: 'GeogapError',
        message: expect.stringMatching(/^[^\n]{20,600}$/) as string,
      })
    },
    5000,
  )

  it('is read where nothing is appended', async () => {
    await writeFile(join(folder, 'model/colours.onnx'), appended(colourGraph(), {}))
    expect((await prepareModel(await loadModelSpec(file))).spec.name).toBe('model')
  })
})
