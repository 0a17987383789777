import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readImage } from '../../../src/datasets/readImage.ts'
import { openTree } from '../../../src/datasets/tree.ts'
import { makeTar, makeZip, tarHeader, temporaryFolder } from '../../datasets/fixtures.ts'

const root = temporaryFolder()
const members = [
  { name: 'a.jpg', content: 'first' },
  { name: 'b.jpg', content: 'second' },
]
const zip = makeZip(members)
const endRecord = zip.length - 22
const directory = zip.readUInt32LE(endRecord + 16)

/** The archive with some of its bytes changed. */
function changed(archive: Buffer, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(archive)
  change(copy)
  return copy
}

/** A tar header whose checksum fits what `change` made of it. */
function header(change: (header: Buffer) => void, size = 5): Buffer {
  const block = tarHeader('a.jpg', size)
  change(block)
  block.fill(' ', 148, 156)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

const body = (text: string): Buffer => Buffer.concat([Buffer.from(text)], 512)
const ends = Buffer.alloc(1024)
const extended = (records: string): Buffer =>
  Buffer.concat([
    tarHeader('pax', records.length, 'x'),
    body(records),
    makeTar({ 'a.jpg': 'first' }),
  ])

/** Every archive is refused by name, or read with exactly the bytes that were put in. */
async function expectRefusedOrRight(file: string): Promise<'refused' | 'read'> {
  const tree = await openTree(file).catch((error: unknown) => error as Error)
  if (tree instanceof Error) {
    expect(tree).toMatchObject({ name: 'GeogapError', code: 'bad-archive' })
    expect(tree.message).not.toContain('\n')
    return 'refused'
  }
  for (const entry of await tree.list('')) {
    const read = await readImage(entry.source).catch((error: unknown) => error as Error)
    if (read instanceof Error) expect(read).toMatchObject({ name: 'GeogapError' })
    else expect(['first', 'second']).toContain(Buffer.from(read).toString())
  }
  return 'read'
}

describe('crafted archives', () => {
  const zips: [string, Buffer][] = [
    [
      'two entries for one member',
      changed(zip, copy => copy.writeUInt32LE(0, directory + 51 + 42)),
    ],
    ['a member inside another', changed(zip, copy => copy.writeUInt32LE(12, directory + 51 + 42))],
    ['a directory inside the members', changed(zip, copy => copy.writeUInt32LE(0, endRecord + 16))],
    ['a count of 65,535 members', changed(zip, copy => copy.writeUInt16LE(0xffff, endRecord + 10))],
    ['a directory of 4 GB', changed(zip, copy => copy.writeUInt32LE(0xffff_fff0, endRecord + 12))],
    ['a second end record in the comment', Buffer.concat([zip, zip.subarray(endRecord)])],
    ['another name in the local header', changed(zip, copy => copy.write('z', 30))],
    [
      'a header offset beyond the file',
      changed(zip, copy => copy.writeUInt32LE(0x7fff_ffff, directory + 42)),
    ],
    ['a name with a null byte', makeZip([{ name: 'a\0.jpg', content: 'first' }])],
    ['a name that goes up by backslashes', makeZip([{ name: '..\\..\\a.jpg', content: 'first' }])],
    ['extra fields longer than the file', changed(zip, copy => copy.writeUInt16LE(0xffff, 28))],
    [
      'zip64 sizes without a zip64 part',
      changed(zip, copy => copy.writeUInt32LE(0xffff_ffff, directory + 20)),
    ],
    ['no members and a directory', changed(zip, copy => copy.writeUInt16LE(0, endRecord + 10))],
  ]
  it.each(zips)('zip with %s', async (name, bytes) => {
    const file = join(root, `${name.replaceAll(' ', '-')}.zip`)
    writeFileSync(file, bytes)
    await expectRefusedOrRight(file)
  })

  const tars: [string, Buffer][] = [
    [
      'a negative size',
      Buffer.concat([header(block => block.write('-0000000005\0', 124)), body('first'), ends]),
    ],
    [
      'a size of 2^88',
      Buffer.concat([header(block => block.fill(0xff, 124, 136)), body('first'), ends]),
    ],
    [
      'a size that is no number',
      Buffer.concat([header(block => block.write('zzzzzzzzzzz\0', 124)), body('first'), ends]),
    ],
    ['a name with a null byte by pax', extended('19 path=a\0/../b.jpg')],
    ['a pax size beyond the file', extended('17 size=99999999\n')],
    ['a negative pax size', extended('11 size=-5\n')],
    ['a pax size of Infinity', extended('17 size=Infinity\n')],
    ['a pax record of length 0', extended('0 path=b.jpg\n')],
    ['a pax record longer than its header', extended('999 path=b.jpg\n')],
    ['a pax path upwards', extended('19 path=../../b.jpg\n')],
    [
      'a thousand pax headers in a row',
      Buffer.concat([
        ...Array.from({ length: 1000 }, () =>
          Buffer.concat([tarHeader('pax', 15, 'x'), body('15 path=b.jpg\n')]),
        ),
        makeTar({ 'a.jpg': 'first' }),
      ]),
    ],
    [
      'a sparse member',
      Buffer.concat([header(block => block.write('S', 156)), body('first'), ends]),
    ],
    [
      'another tar behind its end',
      Buffer.concat([makeTar({ 'a.jpg': 'first' }), makeTar({ 'b.jpg': 'second' })]),
    ],
    [
      'another tar behind the padding of its end',
      Buffer.concat([
        Buffer.concat([makeTar({ 'a.jpg': 'first' })], 10_240),
        makeTar({ 'b.jpg': 'second' }),
      ]),
    ],
    [
      'a prefix upwards',
      Buffer.concat([header(block => block.write('../..', 345)), body('first'), ends]),
    ],
  ]
  it.each(tars)('tar with %s', async (name, bytes) => {
    const file = join(root, `${name.replaceAll(/[^\w]/g, '-')}.tar`)
    writeFileSync(file, bytes)
    await expectRefusedOrRight(file)
  })

  it('refuses the kinds that have no right reading', async () => {
    const outcomes: Record<string, string> = {}
    for (const [name, bytes] of [...zips, ...tars]) {
      const file = join(root, `kind.${zips.some(([other]) => other === name) ? 'zip' : 'tar'}`)
      writeFileSync(file, bytes)
      outcomes[name] = await expectRefusedOrRight(file)
    }
    const read = Object.keys(outcomes).filter(name => outcomes[name] === 'read')
    expect(read).toEqual(['a second end record in the comment', 'a thousand pax headers in a row'])
  })
})
