import { readdir, readFile, stat } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { drawings, folder, hashOf } from '../../../scripts/figureDocs.ts'
import { figureKinds } from '../../../src/report/figures/index.ts'

it('every figure has its thumbnail in docs/reference/figures.md, as it is drawn now (npm run docs:figures)', async () => {
  const page = await readFile(new URL('../reference/figures.md', folder), 'utf8')
  for (const { name } of figureKinds) expect(page).toContain(`](../figures/${name}.png)`)
  const kept: unknown = JSON.parse(await readFile(new URL('drawings.json', folder), 'utf8'))
  const drawn = [...(await drawings())].map(([name, svg]) => [name, hashOf(svg)])
  expect(kept).toEqual(Object.fromEntries(drawn))
})

it('the thumbnails are below 400 kB', async () => {
  const names = await readdir(folder)
  expect(names.filter(name => name.endsWith('.png'))).toHaveLength(figureKinds.length)
  const sizes = await Promise.all(names.map(async name => (await stat(new URL(name, folder))).size))
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(400_000)
})
