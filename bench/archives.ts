// How long the same images take from files, zip, tar and Parquet: npx tsx bench/archives.ts FOLDER [copies]
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { imagenetWnids } from '../src/datasets/labels/imagenet.ts'
import { mapLimited } from '../src/lib/concurrency.ts'
import { readImage } from '../src/datasets/readImage.ts'
import { openDataset } from '../src/datasets/open.ts'
import { decodeImage } from '../src/lib/pixels/decode.ts'
import { query } from '../src/lib/sql.ts'
import { makeTar, makeZip } from '../test/datasets/fixtures.ts'

const [source = '../shared/data/imagenet-samples', copies = '8'] = process.argv.slice(2)
const root = mkdtempSync(join(tmpdir(), 'geogap-bench-'))
const names = readdirSync(source)
const files: Record<string, Buffer> = {}
for (let copy = 0; copy < Number(copies); copy++) {
  names.forEach(
    (name, i) =>
      (files[`${imagenetWnids[i % 1000]!}/${copy}-${name}`] = readFileSync(join(source, name))),
  )
}
const list = Object.entries(files).map(([name, content]) => ({ name, content }))
for (const { name, content } of list) {
  mkdirSync(join(root, 'folder', name, '..'), { recursive: true })
  writeFileSync(join(root, 'folder', name), content)
}
writeFileSync(join(root, 'stored.zip'), makeZip(list))
writeFileSync(
  join(root, 'deflated.zip'),
  makeZip(list.map(member => ({ ...member, deflate: true }))),
)
writeFileSync(join(root, 'plain.tar'), makeTar(files))
await query(
  `COPY (SELECT {'bytes': content, 'path': filename} AS image, 0 AS label FROM read_blob('${root}/folder/*/*')) ` +
    `TO '${root}/images.parquet' (FORMAT parquet, ROW_GROUP_SIZE 1024)`,
)

const kinds = ['folder', 'stored.zip', 'deflated.zip', 'plain.tar', 'images.parquet']
const opened = await Promise.all(
  kinds.map(async kind => ({ kind, ...(await openDataset({ name: join(root, kind) })) })),
)
const bytes = list.reduce((sum, { content }) => sum + content.length, 0)
console.log(
  `${list.length} images, ${(bytes / 1e6).toFixed(0)} MB, 4 in flight; least of 3 runs, ms per image: wall clock (CPU)`,
)
for (const { kind, samples: items } of opened) {
  const read = await least(3, () => mapLimited(items, 4, item => readImage(item.image)))
  const decoded = await least(3, () =>
    mapLimited(items, 4, async item => decodeImage(await readImage(item.image))),
  )
  const shown = ({ wall, cpu }: Cost): string =>
    `${(wall / items.length).toFixed(3)} (${(cpu / items.length).toFixed(3)})`
  console.log(`${kind.padEnd(16)} read ${shown(read)}  read and decode ${shown(decoded)}`)
}
rmSync(root, { recursive: true })

interface Cost {
  wall: number
  cpu: number
}

async function least(times: number, work: () => Promise<unknown>): Promise<Cost> {
  const cost = { wall: Infinity, cpu: Infinity }
  for (let i = 0; i < times; i++) {
    const [start, used] = [performance.now(), process.cpuUsage()]
    await work()
    const { user, system } = process.cpuUsage(used)
    cost.wall = Math.min(cost.wall, performance.now() - start)
    cost.cpu = Math.min(cost.cpu, (user + system) / 1000)
  }
  return cost
}
