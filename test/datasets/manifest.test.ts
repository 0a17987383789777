import { execFileSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { builtPath } from '../../scripts/built.ts'
import { openDataset } from '../../src/datasets/open.ts'
import { query } from '../../src/lib/sql.ts'
import { lay, temporaryFolder } from './fixtures.ts'

const folder = lay(temporaryFolder(), {
  'photos/a.jpg': 'aaa',
  'photos/b.jpg': 'bb',
  'plain.csv':
    'id,image,label,country,income,note\n1,photos/a.jpg,n01440764,KE,12.5,"says ""hi"", twice"\n2,photos/b.jpg,1,FR,300,\n3,photos/gone.jpg,goldfish,,,x\n',
  'renamed.tsv':
    'key\tphoto\tsku\tcc\nx\tphotos/a.jpg\tred mug\tKE\ny\tphotos/b.jpg\tBlue Mug\tFR\n',
  'mixed.csv': 'id,image,label\r\n1,photos/a.jpg,n01440764\r\n2,photos/b.jpg,1\n',
  'classes.txt': 'red mug\nblue mug\n',
  'classes.json': '["red mug", "blue mug"]',
  'id2label.json': '{"0": "red mug", "1": "blue mug"}',
  'label2id.json': '{"blue mug": 1, "red mug": 0}',
  'gaps.json': '{"0": "red mug", "2": "blue mug"}',
  'lists.jsonl':
    '{"image": "photos/a.jpg", "label": "drinkware", "labels": ["coffee mug", "cup"], "region": "Africa"}\n{"image": "photos/b.jpg", "label": "fish", "labels": "0;1"}\n',
  'windows.csv':
    '\ufeffimage;label;country;income;size\r\nphotos\\a.jpg;tench;Nigeria;120.0;1e+05\r\nphotos\\b.jpg;goldfish;NGA;NA;20\r\nphotos\\c.jpg;goldfish;Nigeria;85.50;3\r\nphotos\\d.jpg;goldfish;Mars;85,5;2.400\r\n',
  'numbers-of-r.csv':
    'image,label,income\nphotos/a.jpg,0,120.0\nphotos/b.jpg,1,NA\nphotos/c.jpg,1,1e+05\n',
  'unclear.csv': 'image,label\nphotos/a.jpg,crane\nphotos/b.jpg,tensh\nphotos/c.jpg,goldfish\n',
  'wide.csv': Buffer.from('\ufeffimage,label\nphotos/a.jpg,0\n', 'utf16le'),
  'numbers.csv':
    'image,labels,zip\nphotos/a.jpg,"[0, 1]",01234\nphotos/b.jpg,n01440764|goldfish,99999\n',
})
const at = (name: string): string => join(folder, name)

describe('a manifest', () => {
  it('with two kinds of line ends says so', () =>
    expect(openDataset({ name: at('mixed.csv') })).rejects.toThrow(
      /unreadable manifest: .*mixed\.csv: some lines end in CR LF/,
    ))

  it('gives items with labels by wnid, index or name, grouping columns typed, missing files kept', async () => {
    const dataset = await openDataset({ name: at('plain.csv') })
    expect(dataset.samples.map(({ id, labels, bytes }) => ({ id, labels, bytes }))).toEqual([
      { id: '1', labels: [0], bytes: 3 },
      { id: '2', labels: [1], bytes: 2 },
      { id: '3', labels: [1], bytes: null },
    ])
    expect(dataset.samples.map(item => item.groups)).toEqual([
      { country: 'KE', income: 12.5, note: 'says "hi", twice' },
      { country: 'FR', income: 300, note: null },
      { country: null, income: null, note: 'x' },
    ])
    expect(dataset).toMatchObject({
      labelSpace: 'imagenet-1k',
      choices: 'all',
      columns: ['country', 'income', 'note'],
      problems: [],
    })
  })

  it('from a spreadsheet: semicolons, backslashes, one country in two spellings, and what is nearly a number', async () => {
    const dataset = await openDataset({ name: at('windows.csv'), regions: 'continents-1' })
    expect(
      dataset.samples.map(({ id, bytes, groups: { country } }) => [id, bytes, country]),
    ).toEqual([
      ['photos\\a.jpg', 3, 'Nigeria'],
      ['photos\\b.jpg', 2, 'Nigeria'],
      ['photos\\c.jpg', null, 'Nigeria'],
      ['photos\\d.jpg', null, 'Mars'],
    ])
    expect(dataset.notes).toEqual([
      'its column income is taken as text, for 1 of 3 values are not plain numbers: 85,5',
      'its column size is taken as text, for 1 of 4 values are not plain numbers: 2.400',
      'countries under one name: Nigeria (NGA)',
      'images without a region, because continents-1 does not contain their country: Mars 1',
    ])
  })

  it('takes numbers as pandas and R write them, their words for a missing one included', async () => {
    const { samples: items } = await openDataset({ name: at('numbers-of-r.csv') })
    expect(items.map(({ groups }) => groups['income'])).toEqual([120, null, 100000])
  })

  it('names every label that it does not know, and the classes to choose from; says that a file is UTF-16', async () => {
    await expect(openDataset({ name: at('unclear.csv') })).rejects.toThrow(
      'class name crane stands for several classes; use one of: n02012849 (crane), n03126707 (crane); neither known nor clear are also: tensh',
    )
    await expect(openDataset({ name: at('wide.csv') })).rejects.toThrow(
      'it is UTF-16; save it as UTF-8',
    )
  })

  it('renames columns and takes an own label set from a text or JSON file', async () => {
    const map = { id: 'key', image: 'photo', label: 'sku', country: 'cc' }
    const [text, ...json] = await Promise.all(
      ['classes.txt', 'classes.json', 'id2label.json', 'label2id.json'].map(classes =>
        openDataset({ name: at('renamed.tsv'), map, classes: at(classes) }),
      ),
    )
    expect(
      text!.samples.map(({ id, labels, label, groups }) => ({ id, labels, label, groups })),
    ).toEqual([
      { id: 'x', labels: [0], label: 'red mug', groups: { country: 'KE' } },
      { id: 'y', labels: [1], label: 'Blue Mug', groups: { country: 'FR' } },
    ])
    expect(text).toMatchObject({ labelSpace: 'own', classes: ['red mug', 'blue mug'] })
    expect(json.map(({ classes, hash }) => [classes, hash])).toEqual(
      json.map(() => [text!.classes, text!.hash]),
    )
    const gaps = openDataset({ name: at('renamed.tsv'), map, classes: at('gaps.json') })
    await expect(gaps).rejects.toThrow('not a list of class names')
  })

  it('takes lists of labels, as JSON or separated by ; or |, and keeps codes with leading zeros as text', async () => {
    const lists = await openDataset({ name: at('lists.jsonl') })
    expect(lists.samples.map(({ labels, label }) => ({ labels, label }))).toEqual([
      { labels: [504, 968], label: 'drinkware' },
      { labels: [0, 1], label: 'fish' },
    ])
    const numbers = await openDataset({ name: at('numbers.csv') })
    expect(numbers.samples.map(item => [item.labels, item.groups['zip']])).toEqual([
      [[0, 1], '01234'],
      [[0, 1], '99999'],
    ])
  })

  it('reads the same items from Parquet as from CSV', async () => {
    await query(
      `COPY (SELECT * FROM read_csv('${at('plain.csv')}', all_varchar = true, nullstr = '')) TO '${at('plain.parquet')}'`,
    )
    const [csv, parquet] = await Promise.all(
      ['plain.csv', 'plain.parquet'].map(name => openDataset({ name: at(name) })),
    )
    expect(parquet!.samples).toEqual(csv!.samples)
    expect(parquet!.hash).toBe(csv!.hash)
  })

  it('takes no number for no value, and lists of numbers as text', async () => {
    const rows = `SELECT 'a.jpg' AS image, 0 AS label, 'NaN'::DOUBLE AS income, [1::BIGINT] AS list
      UNION ALL SELECT 'b.jpg', 1, 3.5, [2::BIGINT, 3]`
    await query(`COPY (${rows}) TO '${at('nan.parquet')}'`)
    const { samples: items } = await openDataset({ name: at('nan.parquet') })
    expect(items.map(({ groups }) => groups)).toEqual([
      { income: null, list: '[1]' },
      { income: 3.5, list: '[2,3]' },
    ])
  })

  it('keeps ids apart that are larger than a double holds, in Parquet and in JSON', async () => {
    const types = ['BIGINT', 'UBIGINT', 'DECIMAL(38,0)']
    const columns = types.map(
      (type, i) => `(9007199254740992::HUGEINT * 100 + i)::${type} AS h${i}`,
    )
    const rows = `SELECT 'a.jpg' AS image, 0 AS label, i FROM range(2) r(i)`
    await query(
      `COPY (SELECT i::VARCHAR AS id, image, label, ${columns.join(', ')} FROM (${rows})) TO '${at('wide.parquet')}'`,
    )
    const { samples } = await openDataset({ name: at('wide.parquet') })
    const values = ['900719925474099200', '900719925474099201']
    expect(samples.map(({ groups }) => Object.values(groups))).toEqual(
      values.map(value => types.map(() => value)),
    )
    const lines = values.map(
      (value, i) =>
        `{"id": ${i}, "image": "a.jpg", "label": 0, "h": ${value}, "x": 1.2345678901234567}`,
    )
    writeFileSync(at('wide.jsonl'), lines.join('\n'))
    const ofJson = await openDataset({ name: at('wide.jsonl') })
    expect(ofJson.samples.map(({ groups }) => groups)).toEqual(
      values.map(h => ({ h, x: 1.2345678901234567 })),
    )
  })

  it('says the same in folders that look like columns', async () => {
    const labelled = lay(temporaryFolder(), {
      'label=1/region=all/m.csv': 'image,label,region\na.jpg,0,Asia\n',
    })
    const { samples: items } = await openDataset({ name: `${labelled}/label=1/region=all/m.csv` })
    expect(items).toMatchObject([{ labels: [0], groups: { region: 'Asia' } }])
  })

  it('limits evenly, masks to the mapped classes when asked, and hashes the content', async () => {
    const [all, two] = [
      await openDataset({ name: at('plain.csv') }),
      await openDataset({ name: at('plain.csv'), limit: 2, choices: 'mapped' }),
    ]
    expect(two.samples.map(item => item.id)).toEqual(['1', '2'])
    expect(two.choices).toEqual([0, 1])
    expect(two.hash).not.toBe(all.hash)
    await expect(openDataset({ name: at('plain.csv'), limit: 0 })).rejects.toThrow(
      'limit must be a positive integer: 0',
    )
  })
})

describe('a manifest that cannot be used says why in one line', () => {
  const bad = lay(temporaryFolder(), {
    'nolabel.csv': 'image,country\na.jpg,KE\n',
    'noimage.csv': 'label,country\n0,KE\n',
    'twice.csv': 'id,image,label\n7,a.jpg,0\n7,b.jpg,1\n',
    'wnid.csv': 'image,label\na.jpg,n12345678\n',
    'name.csv': 'image,label\na.jpg,goldfisch\n',
    'empty.csv': 'image,label\na.jpg,\n',
    'broken.jsonl': '{"image": "a.jpg", "label": 0}\n{"image"\n',
    'broken.parquet': 'not parquet',
    'comment.csv': `image,label\n${'a.jpg,0\n'.repeat(20)}#b.jpg\n`,
    'title.csv': 'all photographs\nimage,label\na.jpg,0\nb.jpg,1\n',
    'open.csv': 'image,label\na.jpg,0\nb.jpg,"1\n',
    'plain.csv': 'image,label\na.jpg,0\n',
    'odd.xlsx': 'x',
    'locked/n01440764/a.jpg': 'a',
    'strange/cats/a.jpg': 'a',
  })
  const cases: [string, Parameters<typeof openDataset>[0], string][] = [
    ['unknown data set', { name: 'geod' }, 'unknown dataset: geod; nearest: geode'],
    ['missing file', { name: `${bad}/gone.csv` }, `missing file: ${bad}/gone.csv`],
    ['unknown format', { name: `${bad}/odd.xlsx` }, 'unknown data set format'],
    [
      'no label',
      { name: `${bad}/nolabel.csv` },
      'columns: image, country (say which one it is: --map label=COLUMN)',
    ],
    ['no image', { name: `${bad}/noimage.csv` }, 'manifest without an image column'],
    ['duplicate id', { name: `${bad}/twice.csv` }, 'duplicate id in twice: 7'],
    [
      'unknown wnid',
      { name: `${bad}/wnid.csv` },
      "unknown wnid: n12345678; not among ImageNet's 1,000",
    ],
    [
      'unknown class',
      { name: `${bad}/name.csv` },
      'unknown class: goldfisch; nearest: goldfinch, goldfish',
    ],
    ['empty label', { name: `${bad}/empty.csv` }, 'no label in row 1'],
    [
      'unknown column',
      { name: `${bad}/name.csv`, map: { label: 'sku' } },
      'unknown column: sku; nearest: ',
    ],
    [
      'column mapped onto another',
      { name: `${bad}/name.csv`, map: { image: 'label' } },
      'column image is both',
    ],
    ['broken line', { name: `${bad}/broken.jsonl` }, 'broken.jsonl, line 2'],
    [
      'a line that is no comment',
      { name: `${bad}/comment.csv` },
      'another number of columns than the first one',
    ],
    [
      'a line above the columns',
      { name: `${bad}/title.csv` },
      'another number of columns than the first one',
    ],
    [
      'an open quote',
      { name: `${bad}/open.csv` },
      'open.csv: some lines have another number of columns than the first one, or a quote is open',
    ],
    [
      'regions without countries',
      { name: `${bad}/plain.csv`, regions: 'continents-1' },
      'has no column country',
    ],
    ['broken Parquet', { name: `${bad}/broken.parquet` }, 'damaged Parquet file: '],
    ['unknown class folder', { name: `${bad}/strange` }, 'unknown class: cats'],
    [
      'missing classes file',
      { name: `${bad}/name.csv`, classes: `${bad}/none.txt` },
      `missing file: ${bad}/none.txt`,
    ],
  ]
  it.each(cases)('%s', async (_, spec, message) => {
    const error: unknown = await openDataset(spec).catch((e: unknown) => e)
    const kind = message.startsWith('damaged') ? 'data' : 'input'
    expect(error).toMatchObject({ name: 'GeogapError', kind })
    expect((error as Error).message).toContain(message)
    expect((error as Error).message).not.toContain('\n')
  })

  it.skipIf(process.getuid?.() === 0 && !hasUser())('unreadable folder', () => {
    chmodSync(`${bad}/locked`, 0o000)
    const script = `import { openDataset } from ${JSON.stringify(builtPath('src/datasets/open.ts'))}
      await openDataset({ name: ${JSON.stringify(`${bad}/locked`)} }).catch(e => console.log(e.message))`
    chmodSync(bad, 0o755)
    const printed = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
      ...(process.getuid?.() === 0 && { uid: 65534, gid: 65534 }),
    })
    chmodSync(`${bad}/locked`, 0o755)
    expect(printed).toContain(`unreadable folder: ${bad}/locked (EACCES)`)
  })
})

function hasUser(): boolean {
  try {
    execFileSync(process.execPath, ['-e', ''], { uid: 65534, gid: 65534 })
    return true
  } catch {
    return false
  }
}
