import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openDataset } from '../../src/datasets/open.ts'
import { lay, tarHeader, temporaryFolder } from './fixtures.ts'

const folder = lay(temporaryFolder(), { 'a.jpg': 'a', 'b.jpg': 'b' })
const open = (file: string, content: string | Buffer) => {
  writeFileSync(join(folder, file), content)
  return openDataset({ name: join(folder, file) })
}

describe('a table that says two things is refused', () => {
  it.each([
    ['rows.jsonl', '{"image": "a.jpg", "label": 1, "label": 2}\n'],
    ['list.json', '[{"image": "a.jpg", "label": 1, "la\\u0062el": 2, "label": 3}]'],
    ['columns.json', '{"image": {"0": "a.jpg", "0": "b.jpg"}, "label": {"0": 1}}'],
  ])('with a key twice: %s', async (file, text) => {
    await expect(open(file, text)).rejects.toMatchObject({ code: 'duplicate-column' })
  })

  it('but not for a key in each of two objects, or in a text', async () => {
    const text = '{"image": "a.jpg", "label": 1, "more": {"label": 2}, "note": "\\"label\\": 3 {"}'
    expect((await open('good.jsonl', text)).samples.map(({ labels }) => labels)).toEqual([[1]])
  })

  it('with two spellings of one path, unless it has ids', async () => {
    await expect(open('spelt.csv', 'image,label\na.jpg,1\n./a.jpg,2\n')).rejects.toMatchObject({
      code: 'duplicate-id',
    })
    const { samples } = await open('ids.csv', 'id,image,label\n1,a.jpg,1\n2,./a.jpg,2\n')
    expect(samples).toHaveLength(2)
  })

  it('with a zero byte in a path', async () => {
    await expect(open('zero.csv', 'image,label\na.jpg,1\n\0b.jpg,2\n')).rejects.toMatchObject({
      code: 'bad-path',
    })
  })
})

describe('a tar whose headers say what its members are not is refused', () => {
  const record = (key: string, value: string): string => {
    const length = key.length + value.length + 3
    return `${length + String(length + 2).length} ${key}=${value}\n`
  }
  const member = (name: string, body: string, type = '0'): Buffer =>
    Buffer.concat([
      tarHeader(name, body.length, type),
      Buffer.from(body.padEnd(Math.ceil(body.length / 512) * 512, '\0')),
    ])
  it.each([
    ['x', 'GNU.sparse.major', '1', /sparse/],
    ['g', 'path', 'n01440764/c.jpg', /global pax header/],
  ])('pax header %s with %s', async (type, key, value, message) => {
    const members = [member('pax', record(key, value), type), member('n01440764/a.jpg', 'x')]
    const tar = Buffer.concat([...members, Buffer.alloc(1024)])
    await expect(open(`${type}.tar`, tar)).rejects.toThrow(message)
  })
})
