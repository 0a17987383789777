import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { openDataset } from '../../src/datasets/open.ts'
import { readTable } from '../../src/datasets/readTable.ts'
import { lay, temporaryFolder } from './fixtures.ts'

const root = temporaryFolder()
const csv = 'image,label,income\np/a b.jpg,0,100\np/b.jpg,1,\n'
const rows = [
  { image: 'p/a b.jpg', label: 0, income: 100 },
  { image: 'p/b.jpg', label: 1, income: null },
]
const wide = `image,label,${Array.from({ length: 200_000 }, (_, i) => `c${i}`).join(',')}\n`
lay(root, {
  'p/a b.jpg': 'aa',
  'p/b.jpg': 'b',
  'base.csv.gz': gzipSync(csv),
  'lines.jsonl.gz': gzipSync(rows.map(row => JSON.stringify(row)).join('\n')),
  'array.json': JSON.stringify(rows),
  'columns.json': JSON.stringify({
    image: { 0: 'p/a b.jpg', 1: 'p/b.jpg' },
    label: { 0: 0, 1: 1 },
    income: { 0: 100, 1: null },
  }),
  'lists.json': JSON.stringify({
    image: rows.map(({ image }) => image),
    label: [0, 1],
    income: [100, null],
  }),
  'split.json': JSON.stringify({
    columns: Object.keys(rows[0]!),
    index: [0, 1],
    data: rows.map(row => Object.values(row)),
  }),
  'schema.json': JSON.stringify({ schema: { fields: [] }, data: rows }),
  'single.csv': "'image','label','income'\n'p/a b.jpg','0','100'\n'p/b.jpg','1',\n",
  'single-values.csv': "image,label,income\n'p/a b.jpg',0,100\n'p/b.jpg',1,\n",
  'single-semicolons.csv': "# a list\nimage;label;income\n'p/a b.jpg';0;'100'\n'p/b.jpg';1;\n",
  'coco.json': JSON.stringify({
    images: [{ id: 1, file_name: 'p/b.jpg' }],
    annotations: [{ image_id: 1, category_id: 1, bbox: [0, 0, 1, 1] }],
    categories: [{ id: 1, name: 'stove' }],
  }),
  'uneven.json': '{"image": ["p/b.jpg", "p/a b.jpg"], "label": [0]}',
  'objects.json': '{"a": {"image": {"path": "p/b.jpg"}, "label": 0}}',
  'sep.csv': 'sep=;\nimage;label;income\np/a b.jpg;0;100\np/b.jpg;1;\n',
  'pipes.csv': 'image|label|income\np/a b.jpg|0|100\np/b.jpg|1|\n',
  'path-object.jsonl': rows
    .map(row => JSON.stringify({ ...row, image: { path: row.image } }))
    .join('\n'),
  'deep.json': `[{"image": "p/b.jpg", "label": 0, "x": ${'['.repeat(1e5)}${']'.repeat(1e5)}}]`,
  'long-cell.csv': `image,label,region\np/b.jpg,0,${'x'.repeat(3e6)}\n`,
  'spaced.csv': 'image,label\n p/b.jpg ,0\n',
  'empty.csv': '',
  'names-alone.csv': 'image,label\n',
  'twice.csv': 'image,label,region,region\np/b.jpg,0,a,b\n',
  'twice-by-case.csv': 'image,label,Region,region\np/b.jpg,0,a,b\n',
  'like-twice.csv': 'image,label,region,region_1\np/b.jpg,0,a,b\n',
  'label-object.jsonl': '{"image": "p/b.jpg", "label": {"id": 3, "name": "x"}}',
  'apostrophes.csv': "image,label,place\np/b.jpg,0,'s-Hertogenbosch\np/a b.jpg,1,baby's bed\n",
  'lines.json': rows.map(row => JSON.stringify(row)).join('\n'),
  'nan.jsonl':
    '{"image": "p/a b.jpg", "label": 0, "income": 100}\n{"image": "p/b.jpg", "label": 1, "income": NaN}\n',
  'nan.json':
    '[{"image": "p/a b.jpg", "label": 0, "income": 100, "x": "NaN"}, {"image": "p/b.jpg", "label": 1, "income": -Infinity}]',
  'comment.csv': `# made by hand\n# twice\n${csv}`,
  'semi.csv':
    'image;label;income;size;year\np/a b.jpg;0;100,0;1,234;2020\np/b.jpg;1;2,5;2,345;2021\n',
  'quoted.csv': 'image,label,income\np/a b.jpg,0,"100,0"\np/b.jpg,1,"2,5"\n',
  'file.csv': `image,label\nfile://./p/a%20b.jpg,0\n${pathToFileURL(resolve(root, 'p/b.jpg')).href},1\n`,
  'web.csv': 'image,label\nhttps://example.org/a.jpg,0\n',
  'headerless.csv': 'p/a b.jpg,n01440764\np/b.jpg,n01440764\n',
  'proto.jsonl':
    '{"image": "p/b.jpg", "label": 0, "__proto__": "x"}\n{"image": "p/a b.jpg", "label": 1}\n',
  'object.json': '{"image": "a.jpg"}',
  'text.json': '"a"',
  'tab.txt': 'image\tlabel\n',
  'sheet.xlsx': 'PK',
  'wide.csv': wide,
  'wide.csv.gz': gzipSync(wide),
  'wide.tsv': wide.replaceAll(',', '\t'),
  'wide.jsonl': JSON.stringify(
    Object.fromEntries(Array.from({ length: 2001 }, (_, i) => [`c${i}`, 1])),
  ),
  'longline.csv': `image,label,${'x'.repeat(2 << 20)}\n`,
})
const at = (name: string): string => join(root, name)

describe('a table of images', () => {
  it.each([
    'base.csv.gz',
    'lines.jsonl.gz',
    'array.json',
    'columns.json',
    'lines.json',
    'lists.json',
    'split.json',
    'schema.json',
    'single.csv',
    'single-values.csv',
    'single-semicolons.csv',
    'sep.csv',
    'pipes.csv',
    'nan.jsonl',
    'nan.json',
    'comment.csv',
  ])('%s holds the same samples', async name => {
    const dataset = await openDataset({ name: at(name) })
    expect(dataset.name).toBe(name.split('.')[0])
    expect(
      dataset.samples.map(({ id, bytes, labels, groups }) => [id, bytes, labels, groups['income']]),
    ).toEqual([
      ['p/a b.jpg', 2, [0], 100],
      ['p/b.jpg', 1, [1], null],
    ])
  })

  it('with semicolons has decimal commas, where they cannot be thousands', async () => {
    const { samples, notes } = await openDataset({ name: at('semi.csv') })
    expect(samples.map(({ groups }) => groups)).toEqual([
      { income: 100, size: '1,234', year: 2020 },
      { income: 2.5, size: '2,345', year: 2021 },
    ])
    expect(notes).toEqual([
      'its column size is taken as text, for its numbers have commas: 1,234; 2,345',
    ])
    const quoted = await openDataset({ name: at('quoted.csv') })
    expect(quoted.samples.map(({ groups }) => groups['income'])).toEqual(['100,0', '2,5'])
    expect(quoted.notes).toEqual([
      'its column income is taken as text, for its numbers have commas: 100,0; 2,5',
    ])
  })

  it('may have paths in objects and in spaces, and a column that ends like a repeated one', async () => {
    const { samples } = await openDataset({ name: at('path-object.jsonl') })
    expect(samples.map(({ id, bytes }) => [id, bytes])).toEqual([
      ['p/a b.jpg', 2],
      ['p/b.jpg', 1],
    ])
    const spaced = await openDataset({ name: at('spaced.csv') })
    expect(spaced.samples.map(({ bytes }) => bytes)).toEqual([1])
    const { columns } = await openDataset({ name: at('like-twice.csv') })
    expect(columns).toEqual(['region', 'region_1'])
  })

  it('keeps apostrophes that quote nothing', async () => {
    const { samples } = await openDataset({ name: at('apostrophes.csv') })
    expect(samples.map(({ groups }) => groups['place'])).toEqual(["'s-Hertogenbosch", "baby's bed"])
  })

  it('has a column of any name, also where some rows lack it', async () => {
    const { samples } = await openDataset({ name: at('proto.jsonl') })
    expect(samples.map(({ groups }) => Object.entries(groups))).toEqual([
      [['__proto__', 'x']],
      [['__proto__', null]],
    ])
  })

  it('may name its images by file addresses', async () => {
    const { samples } = await openDataset({ name: at('file.csv') })
    expect(samples.map(({ bytes }) => bytes)).toEqual([2, 1])
  })

  it.each([
    ['web.csv', 'images at web addresses are not read: "https://example.org/a.jpg"; download them'],
    ['headerless.csv', 'is no list of column names: it holds "p/a b.jpg"; add a first line'],
    ['object.json', 'expected a list of objects, one for each image'],
    ['text.json', 'not a JSON object'],
    ['coco.json', 'COCO annotations of objects, not a table of images: '],
    ['uneven.json', 'expected a list of objects, one for each image'],
    ['deep.json', 'nests too deeply'],
    ['long-cell.csv', 'a line is longer than 2000000 bytes'],
    ['empty.csv', 'no rows in '],
    ['names-alone.csv', 'no rows in '],
    ['twice.csv', 'twice.csv are called region: rename one'],
    ['twice-by-case.csv', 'are called Region and region, which differ in case alone: rename one'],
    ['label-object.jsonl', 'a label is an object: '],
    ['objects.json', 'expected a list of objects, one for each image'],
    ['tab.txt', 'rename it to .csv or .tsv'],
    ['sheet.xlsx', 'save the sheet as CSV in UTF-8'],
  ])('%s is refused with what to do', async (name, message) => {
    await expect(openDataset({ name: at(name) })).rejects.toThrow(message)
  })

  it.each(['wide.csv', 'wide.csv.gz', 'wide.tsv', 'wide.jsonl', 'longline.csv'])(
    '%s has too many columns',
    async name => {
      await expect(readTable(at(name))).rejects.toMatchObject({ code: 'too-many-columns' })
    },
  )
})
