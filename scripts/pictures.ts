/**
 * Makes the pictures of the tutorial and of README.md: `npm run docs:pictures`. It runs the demo and the tutorial's commands
 * with the built command line in a temporary folder, and takes what Chromium shows of the report and the dashboard.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Page } from 'playwright-core'
import sharp from 'sharp'
import { serve } from '../src/dashboard/serve.ts'
import { openBrowser } from '../test/helpers/browser.ts'
import { pagePng } from './figureDocs.ts'

const folder = mkdtempSync(join(tmpdir(), 'geogap-pictures-'))
const program = resolve('dist/cli/bin/geogap.js')
const run = (...args: string[]): string =>
  execFileSync(process.execPath, [program, ...args, '--quiet'], { cwd: folder, encoding: 'utf8' })

/** Two pictures of each region side by side, one region a row. */
async function world(file: string): Promise<void> {
  const side = 128
  const gap = 8
  const step = side + gap
  const regions = ['Europe', 'Americas', 'Asia', 'Africa']
  const names = regions.flatMap(region => [0, 1, 2, 3].map(i => `${region}-0-${i}.jpg`))
  const tiles = await Promise.all(
    names.map(async (name, i) => ({
      input: await sharp(join(folder, 'demo/world/households', name))
        .resize(side, side)
        .toBuffer(),
      left: (i % 8) * step,
      top: Math.floor(i / 8) * step,
    })),
  )
  const background = '#ffffff'
  await sharp({
    create: { width: 8 * step - gap, height: 2 * step - gap, channels: 3, background },
  })
    .composite(tiles)
    .png(pagePng)
    .toFile(file)
}

async function screenshot(page: Page, url: string, file: string): Promise<void> {
  await page.goto(url, { waitUntil: 'networkidle' })
  const image = sharp(await page.screenshot())
  await image.png(pagePng).toFile(file)
}

const models = ['lcnet_100.fitted_400', 'mobilenetv3_small_050.fitted_400']
try {
  run('demo')
  const data = ['--dataset', 'demo/world/households.csv', '--classes', 'demo/world/classes.txt']
  const named = models.map(name => `demo/models/${name}.json`)
  run('evaluate', '--model', ...named, ...data, '--out', 'results')
  run('figure', 'regions', 'results', '-o', resolve('docs/start/regions.png'), '--width', '720')
  await world('docs/start/world.png')
  const client = resolve('dist/client')
  const server = await serve(join(folder, 'demo/results'), { client })
  const browser = await openBrowser()
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 860 } })
    await screenshot(page, pathToFileURL(join(folder, 'demo/report.html')).href, 'docs/report.png')
    await screenshot(page, server.url, 'docs/start/dashboard.png')
  } finally {
    await browser.close()
    await server.close()
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
