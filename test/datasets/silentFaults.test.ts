import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openDataset } from '../../src/datasets/open.ts'
import { query } from '../../src/lib/sql.ts'
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

describe('grouping values as people and programs write them', () => {
  const groups = async (column: string, values: readonly string[]) => {
    const rows = values.map((value, i) => `a.jpg,1,${i},"${value}"`)
    const { samples, notes } = await open('g.csv', `image,label,id,${column}\n${rows.join('\n')}\n`)
    return { values: samples.map(sample => sample.groups[column]), notes }
  }

  it('have no spaces around them, in numbers and in names', async () => {
    expect((await groups('income', [' 120 ', '120', '\t85.5'])).values).toEqual([120, 120, 85.5])
    expect((await groups('room', ['kitchen ', 'kitchen', ' '])).values).toEqual([
      'kitchen',
      'kitchen',
      null,
    ])
  })

  it.each(['#N/A', '<NA>', '?', 'unknown', '–', 'inf', '-Infinity', '-nan'])(
    'may be %s where a number is missing',
    async missing => {
      expect(await groups('income', ['120', missing, '85.5'])).toEqual({
        values: [120, null, 85.5],
      })
    },
  )

  it('may be shares with three decimals, of which the last is a zero', async () => {
    expect((await groups('share', ['0.390', '0.251'])).values).toEqual([0.39, 0.251])
    expect((await groups('share', ['2.390', '1.251'])).values).toEqual(['2.390', '1.251'])
  })

  it.each(['$120', '1 200', "1'200", '120 €', 'USD 120', '+120', '12 %'])(
    'a column of numbers such as %s is a text, and a note says so',
    async value => {
      expect((await groups('income', [value, value])).notes).toEqual([
        `its column income is taken as text, for its numbers have separators, signs or units: ${value}`,
      ])
    },
  )

  it.each(['2024-01-01', '01234', '10.0.0.1', 'A4'])('a column of %s has no note', async value => {
    expect((await groups('code', [value, value])).notes).toBeUndefined()
  })

  it('are read from JSON by rows too, and words for a missing label are named', async () => {
    writeFileSync(
      join(folder, 'rows.json'),
      '{"0": {"image": "a.jpg", "label": "nan", "region": "x"}, "1": {"image": "b.jpg", "label": "bed", "region": "y"}}',
    )
    const { samples, notes } = await openDataset({
      name: join(folder, 'rows.json'),
      labels: 'original',
    })
    expect(samples.map(({ label, groups }) => [label, groups['region']])).toEqual([
      ['nan', 'x'],
      ['bed', 'y'],
    ])
    expect(notes).toEqual([
      'its labels nan 1 are taken as classes; leave the cells empty if these images have no label',
    ])
  })

  it('that Parquet holds as bytes are texts, and so are labels', async () => {
    const file = join(folder, 'bytes.parquet')
    await query(
      `COPY (SELECT 'a.jpg' AS image, 'tench'::BLOB AS label, 'Afrique'::BLOB AS region) TO '${file}' (FORMAT parquet)`,
    )
    const { samples } = await openDataset({ name: file })
    expect(samples).toMatchObject([{ labels: [0], groups: { region: 'Afrique' } }])
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
