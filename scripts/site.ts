/**
 * Looks at every page of the built site in Chromium: `npm run docs:look [-- FOLDER PAGE…]`. At 390 and 1,440 pixels no page may
 * scroll sideways, every code block has a button that copies it, and every picture loads. Prints how many screens of
 * 1,440 × 900 pixels each page has; with a folder, writes PNGs of the pages named, light and dark, at three widths.
 */
import { createReadStream, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import { type Browser } from 'playwright-core'
import { mapLimited } from '../src/lib/concurrency.ts'
import { openBrowser } from '../test/helpers/browser.ts'

const site = 'docs/.vitepress/dist'
const widths = [390, 1440]
const screenHeight = 900
const pagesAtOnce = 4
const types: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
}

const server = createServer((request, response) => {
  const file = join(site, decodeURIComponent(new URL(request.url!, 'http://site').pathname))
  if (!existsSync(file) || extname(file) === '') return void response.writeHead(404).end()
  response.setHeader('content-type', types[extname(file)] ?? 'application/octet-stream')
  createReadStream(file).pipe(response)
})

const inPage = readFileSync(new URL('site.page.js', import.meta.url), 'utf8')

interface PageFacts {
  faults: string[]
  height: number
}

/** Loads a page once and looks at it in each width. */
async function look(browser: Browser, url: string): Promise<Map<number, PageFacts>> {
  const page = await browser.newPage({ viewport: { width: widths[0]!, height: screenHeight } })
  try {
    await page.goto(url, { waitUntil: 'load' })
    const found = new Map<number, PageFacts>()
    for (const width of widths) {
      await page.setViewportSize({ width, height: screenHeight })
      found.set(width, await page.evaluate<PageFacts>(inPage))
    }
    return found
  } finally {
    await page.close()
  }
}

async function screenshots(browser: Browser, url: string, name: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const)
    for (const width of [390, 1024, 1440]) {
      const page = await browser.newPage({ viewport: { width, height: screenHeight }, colorScheme })
      await page.goto(url, { waitUntil: 'load' })
      await page.screenshot({ path: join(folder!, `${name}-${width}-${colorScheme}.png`) })
      await page.close()
    }
}

const [folder, ...wanted] = process.argv.slice(2)
if (folder !== undefined) mkdirSync(folder, { recursive: true })
await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
const browser = await openBrowser()
try {
  const names = readdirSync(site, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.html') && !/^(api\/|404)/.test(name))
    .sort()
  const seen = await mapLimited(names, pagesAtOnce, name => look(browser, `${address}/${name}`))
  for (const [i, name] of names.entries()) {
    for (const [width, { faults }] of seen[i]!)
      for (const fault of faults) {
        process.stderr.write(`${name} at ${width} pixels: ${fault}\n`)
        process.exitCode = 1
      }
    const { height } = seen[i]!.get(widths.at(-1)!)!
    process.stdout.write(`${(height / screenHeight).toFixed(1)} ${name}\n`)
    const short = name.replace('.html', '')
    if (wanted.includes(short))
      await screenshots(browser, `${address}/${name}`, short.replaceAll('/', '-'))
  }
  process.stdout.write(`${names.length} pages\n`)
} finally {
  await browser.close()
  server.close()
}
