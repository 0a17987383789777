import { execFileSync } from 'node:child_process'
import { truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { tableCrc32 } from '../../../src/lib/archive/crc32.ts'
import { readImage } from '../../../src/datasets/readImage.ts'
import { openDataset } from '../../../src/datasets/open.ts'
import { openTree, readEntry } from '../../../src/datasets/tree.ts'
import {
  lay,
  makeTar,
  makeZip,
  photo,
  tarHeader,
  temporaryFolder,
  type ZipMember,
} from '../../datasets/fixtures.ts'

const files = {
  'n01440764/a.JPEG': photo(1),
  'n01440764/b.JPEG': photo(2),
  'n01443537/c d.JPEG': photo(3),
  'n01443537/é.JPEG': photo(4),
}
const wrapped = Object.fromEntries(
  Object.entries(files).map(([name, content]) => [`set/${name}`, content]),
)
const root = temporaryFolder()
const save = (name: string, content: Uint8Array): string => {
  writeFileSync(join(root, name), content)
  return join(root, name)
}
const zipOf = (members: Record<string, Uint8Array>, deflate: boolean): Buffer =>
  makeZip(Object.entries(members).map(([name, content]) => ({ name, content, deflate })))

const sources: [string, string][] = [
  ['folder', lay(join(root, 'folder'), files)],
  ['zip, stored', save('stored.zip', zipOf(files, false))],
  ['zip, deflated', save('deflated.zip', zipOf(files, true))],
  ['tar', save('plain.tar', makeTar(files))],
  ['tar with one folder around', save('wrapped.tar', makeTar(wrapped))],
]

describe('the same images as a folder, zip and tar', () => {
  it.each(sources)('%s: same ids, labels, hash and bytes', async (_, path) => {
    const [expected, dataset] = [
      await openDataset({ name: sources[0]![1] }),
      await openDataset({ name: path }),
    ]
    const known = ({ id, labels, label, bytes }: (typeof dataset.samples)[number]): unknown => ({
      id,
      labels,
      label,
      bytes,
    })
    expect(dataset.samples.map(known)).toEqual(expected.samples.map(known))
    expect(dataset.hash).toBe(expected.hash)
    const read = await Promise.all(dataset.samples.map(({ image }) => readImage(image)))
    expect(read.map(bytes => Buffer.from(bytes))).toEqual(Object.values(files))
  })
})

describe('tar', () => {
  it('reads GNU and pax long names, and sizes in pax headers', async () => {
    const long = `${'deep/'.repeat(30)}x.jpg`
    const record = (text: string): string => {
      const length = [1, 2, 3]
        .map(digits => text.length + digits + 2)
        .find((n, i) => String(n).length === i + 1)!
      return `${length} ${text}\n`
    }
    const pax = record(`path=${long}y`)
    const tar = Buffer.concat([
      makeTar({ '././@LongLink': long }, 'L').subarray(0, 1024),
      makeTar({ 'deep/short': 'gnu' }).subarray(0, 1024),
      tarHeader('PaxHeader', pax.length, 'x'),
      Buffer.concat([Buffer.from(pax), Buffer.alloc(512)]).subarray(0, 512),
      makeTar({ 'deep/other': 'pax' }),
    ])
    const tree = await openTree(save('long.tar', tar))
    const entries = await tree.list('')
    expect(entries.map(({ path }) => path)).toEqual([long, `${long}y`])
    expect((await Promise.all(entries.map(readEntry))).map(String)).toEqual(['gnu', 'pax'])
  })

  /** A member after a header that names it. */
  const named = (type: string, text: string): Buffer => {
    const length = text.length + 8
    const body = Buffer.from(type === 'x' ? `${length} ${text}\n` : text)
    const padded = Buffer.concat([body, Buffer.alloc(512 - (body.length % 512))])
    return Buffer.concat([tarHeader('header', body.length, type), padded, makeTar({ a: 'x' })])
  }
  const lying = Buffer.concat([tarHeader('a.jpg', 1 << 20), Buffer.alloc(2048)])
  const broken = makeTar({ 'a.jpg': 'a' })
  broken.write('9', 0)
  const cases: [string, Buffer, string][] = [
    [
      'a path that leaves the archive',
      makeTar({ '../../etc/passwd': 'x' }),
      'unsafe member path "../../etc/passwd"',
    ],
    ['an absolute path', makeTar({ '/etc/passwd': 'x' }), 'unsafe member path'],
    ['a Windows path', makeTar({ 'C:/y': 'x' }), 'unsafe member path'],
    ['no path', makeTar({ '': 'x' }), 'unsafe member path ""'],
    [
      'a path of a megabyte',
      named('x', `path=${'/'.repeat(1 << 19)}a`),
      'a member path of 524289 characters: "///',
    ],
    [
      'a long name that begins with nothing',
      named('L', `${'\0'.repeat(1 << 19)}a`),
      'unsafe member path ""',
    ],
    ['a device', makeTar({ 'a.jpg': '' }, '3'), 'member a.jpg is a link or a device'],
    ['a symbolic link', makeTar({ 'a.jpg': '' }, '2'), 'member a.jpg is a link or a device'],
    ['a hard link', makeTar({ 'a.jpg': '' }, '1'), 'member a.jpg is a link or a device'],
    [
      'a size beyond the end',
      lying,
      'member a.jpg states 1048576 bytes, more than the archive has',
    ],
    ['a broken checksum', broken, 'not a tar header at byte 0 (checksum)'],
    [
      'a member twice',
      Buffer.concat([makeTar({ 'a.jpg': 'a' }).subarray(0, 1024), makeTar({ './a.jpg': 'b' })]),
      'member given twice: a.jpg',
    ],
    [
      'a header cut off',
      makeTar({ 'a.jpg': 'a' }).subarray(0, 1100),
      'header at byte 1024 is cut off',
    ],
  ]
  it.each(cases)('refuses %s', async (_, bytes, message) => {
    await expect(openTree(save('bad.tar', bytes))).rejects.toThrow(
      `archive refused: ${root}/bad.tar: ${message}`,
    )
  })
})

describe('archives with damaged bytes', () => {
  const whole: [string, Buffer][] = [
    ['tar', makeTar(files)],
    ['zip', zipOf(files, true)],
  ]
  it.each(whole)('%s: are read or refused, never anything else', async (kind, bytes) => {
    const damage = fc.array(fc.tuple(fc.nat({ max: bytes.length - 1 }), fc.nat({ max: 255 })), {
      minLength: 1,
      maxLength: 8,
    })
    await fc.assert(
      fc.asyncProperty(damage, fc.nat({ max: bytes.length }), async (changes, length) => {
        const copy = Buffer.from(bytes.subarray(0, length % 3 === 0 ? length : bytes.length))
        for (const [at, value] of changes) if (at < copy.length) copy[at] = value
        const tree = await openTree(save(`fuzz.${kind}`, copy)).catch((error: unknown) => error)
        if (tree instanceof Error) {
          expect(tree).toMatchObject({ name: 'GeogapError', code: 'bad-archive' })
          return
        }
        for (const entry of await (tree as Awaited<ReturnType<typeof openTree>>).list('')) {
          const read = await readImage(entry.source).catch((error: unknown) => error)
          if (read instanceof Error)
            expect((read as Error & { code: string }).code).toMatch(/^(damaged-archive|too-large)$/)
          else expect((read as Uint8Array).length).toBe(entry.bytes)
        }
      }),
      { numRuns: 150 },
    )
  })
})

describe('zip', () => {
  const cases: [string, ZipMember[], string][] = [
    ['a path that leaves the archive', [{ name: 'x/../../y', content: 'a' }], 'unsafe member path'],
    [
      'a long path',
      [{ name: `${'/'.repeat(65_000)}a`, content: 'a' }],
      'a member path of 65001 characters: "///',
    ],
    ['an absolute path', [{ name: '/etc/passwd', content: 'a' }], 'unsafe member path'],
    ['a Windows path', [{ name: 'C:\\y', content: 'a' }], 'unsafe member path'],
    ['a link', [{ name: 'a', content: 'b', unixMode: 0o120777 }], 'member "a" is a link'],
    ['an encrypted member', [{ name: 'a', content: 'b', flags: 1 }], 'member "a" is encrypted'],
    ['another compression', [{ name: 'a', content: 'b', method: 12 }], 'compression method 12'],
    [
      'a member twice',
      [
        { name: 'a', content: 'b' },
        { name: 'a', content: 'c' },
      ],
      'member given twice: a',
    ],
    [
      'a stored size that is not its own',
      [{ name: 'a', content: 'b', unpacked: 9 }],
      'stored member "a" states two sizes',
    ],
    [
      'a size that reaches into the directory',
      [{ name: 'a', content: 'b', packed: 40, unpacked: 40 }],
      'member "a" states 40 bytes',
    ],
  ]
  it.each(cases)('refuses %s', async (_, members, message) => {
    await expect(openTree(save('bad.zip', makeZip(members)))).rejects.toThrow(message)
  })

  it('refuses a file that is no zip, or cut off', async () => {
    await expect(openTree(save('no.zip', Buffer.from('hello')))).rejects.toThrow(
      'it has no end record',
    )
    const cut = zipOf(files, true)
    await expect(openTree(save('cut.zip', cut.subarray(0, cut.length - 30)))).rejects.toThrow(
      'it has no end record',
    )
  })

  it('reports a member that unpacks to another size than it states, without unpacking more than that', async () => {
    const bomb = makeZip([
      { name: 'bomb.jpg', content: Buffer.alloc(1 << 22), deflate: true, unpacked: 1000 },
      { name: 'short.jpg', content: 'abc', deflate: true, unpacked: 1000 },
    ])
    const tree = await openTree(save('bomb.zip', bomb))
    for (const name of ['bomb.jpg', 'short.jpg']) {
      const entry = (await tree.find(name))!
      await expect(readImage(entry.source)).rejects.toMatchObject({ code: 'damaged-archive' })
    }
  })

  it('reports a member that says it is a gigabyte, without making room for it', async () => {
    const huge = makeZip([
      { name: 'huge.jpg', content: Buffer.alloc(1 << 20), deflate: true, unpacked: 1 << 30 },
    ])
    const before = process.memoryUsage().rss
    const entry = (await (await openTree(save('huge.zip', huge))).find('huge.jpg'))!
    await expect(readImage(entry.source)).rejects.toMatchObject({ code: 'too-large' })
    expect(process.memoryUsage().rss - before).toBeLessThan(1 << 28)
  })

  it('reports a member whose archive was cut after it was indexed', async () => {
    const path = save('later.zip', zipOf(files, false))
    const [first] = await (await openTree(path)).list('')
    writeFileSync(path, zipOf(files, false).subarray(0, 100))
    await expect(readImage(first!.source)).rejects.toThrow(/ends \d+ bytes early/)
  })
})

it.skipIf(process.platform === 'win32')(
  'a pipe, a device and a file of 3 GB are no images, and are not waited for',
  async () => {
    const [pipe, huge] = [join(root, 'pipe.jpg'), save('huge.jpg', new Uint8Array())]
    execFileSync('mkfifo', [pipe])
    truncateSync(huge, 3e9)
    const codeOf = (file: string) =>
      readImage({ kind: 'file', file }).then(
        () => 'read',
        (error: unknown) => (error as { code: string }).code,
      )
    expect(await Promise.all([pipe, '/dev/zero', root, huge].map(codeOf))).toEqual([
      ...['unreadable-file', 'unreadable-file', 'unreadable-file', 'too-large'],
    ])
  },
)

it('says how to uncompress a tar, also one whose name hides the compression', async () => {
  const hidden = save('hidden.tar', gzipSync('x'))
  await expect(openTree(save('a.tar.gz', Buffer.from('x')))).rejects.toThrow(/gunzip .*a\.tar\.gz$/)
  await expect(openTree(hidden)).rejects.toThrow(`mv ${hidden} ${hidden}.gz, then uncompress it`)
})

it('goes by the bytes of an archive, not by its name', async () => {
  const path = save('objectnet.tar', makeZip([{ name: 'images/a.png', content: 'a' }]))
  expect((await (await openTree(path)).list('')).map(entry => entry.path)).toEqual(['images/a.png'])
})

describe('a zip whose bytes have changed', () => {
  it.each([false, true])(
    'fails the image that changed, and no other (deflated: %s)',
    async deflate => {
      const members = Object.entries(files).map(([name, content]) => ({ name, content, deflate }))
      const [, changed] = members
      const crc = crc32(changed!.content)
      const damaged = Buffer.from(changed!.content)
      damaged[500]! ^= 4
      const zip = makeZip(
        members.map(one => (one === changed ? { ...one, content: damaged, crc32: crc } : one)),
      )
      const { samples } = await openDataset({ name: save(`changed-${deflate}.zip`, zip) })
      const results = await Promise.allSettled(samples.map(({ image }) => readImage(image)))
      expect(results.map(({ status }) => status)).toEqual([
        'fulfilled',
        'rejected',
        'fulfilled',
        'fulfilled',
      ])
      expect(results[1]).toMatchObject({
        reason: { code: 'damaged-archive', message: expect.stringContaining('CRC-32') as string },
      })
    },
  )

  it('is told by the same checksum with and without the function of Node.js', () => {
    fc.assert(fc.property(fc.uint8Array(), bytes => tableCrc32(bytes) === crc32(bytes)))
  })
})
