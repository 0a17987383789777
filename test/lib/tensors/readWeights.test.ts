import { expect, it } from 'vitest'
import { zipOf } from './torchFiles.ts'
import { weightFileReader } from './weightFile.ts'

const read = weightFileReader()

it('says what else a file is', async () => {
  await expect(read(Buffer.from('<!DOCTYPE html><p>not found'))).rejects.toThrow('web page')
  await expect(read(Buffer.from('version https://git-lfs.github.com/spec/v1'))).rejects.toThrow(
    'git LFS pointer',
  )
  await expect(read(Buffer.alloc(0))).rejects.toThrow('empty')
  await expect(read(Buffer.from('plain text'))).rejects.toThrow('of no known kind')
  await expect(read(Buffer.from('{"error":"not found"}'))).rejects.toThrow('it is JSON')
  await expect(read(Buffer.from('GGUF\x03'))).rejects.toThrow('weights are quantized')
  await expect(read(Buffer.from('\x89HDF\r\n', 'latin1'))).rejects.toThrow('as Keras writes it')
  await expect(read(Buffer.from('\x1f\x8b\x08', 'latin1'))).rejects.toThrow('unpack it')
  await expect(read(Buffer.from('\x08\x08\x12\x07pytorch'))).rejects.toThrow('models describe')
  const numpy = zipOf([{ name: 'a.npy', data: Buffer.from('x') }])
  await expect(read(numpy)).rejects.toThrow(/0 members .*; its first is "a.npy"/)
})
