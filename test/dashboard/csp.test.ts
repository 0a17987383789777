/** Hostile names in every field of results: no script of theirs runs in a browser, and no request leaves the page. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { serve, type DashboardServer } from '../../src/dashboard/serve.ts'
import { writeReport } from '../../src/report/page/reportPage.ts'
import { recordFailures } from '../../src/results/records.ts'
import { openRun } from '../../src/results/run.ts'
import { chromium, openBrowser } from '../helpers/browser.ts'
import { builtClient } from '../helpers/client.ts'
import { storeRun } from '../helpers/storedRun.ts'

let folder: string
let canary: Server
let served: DashboardServer
let browser: Browser
/** Addresses that were asked of the canary, which no page knows but from the names. */
const asked: string[] = []

/** Texts of which each would run a script or ask the canary if a page took it for anything but text. */
const payloads = (url: string): string[] => [
  `<img src="${url}/img" onerror="globalThis.ran=1">`,
  `</script><script src="${url}/js"></script><script>globalThis.ran=2</script>`,
  `"><svg onload="globalThis.ran=3"><image href="${url}/svg"/></svg>`,
  `' onmouseover='globalThis.ran=4' style='background:url(${url}/css)`,
  `javascript:globalThis.ran=5//${url}/href`,
  `</style><style>@import url(${url}/import);</style>`,
  `<iframe srcdoc="<script>parent.ran=6</script>"></iframe>`,
  `<meta http-equiv="refresh" content="0;url=${url}/meta">`,
  `{{constructor.constructor('globalThis.ran=7')()}}`,
  `\${globalThis.ran=8}`,
  `datum.x; (globalThis.ran=9)`,
  `__proto__`,
  `constructor`,
]

const images = 260

/** Every field that results have, with a payload of its own. */
async function storeHostile(out: string, hostile: readonly string[]): Promise<void> {
  const hostileText = (i: number): string => hostile[i % hostile.length]!
  const correct = (seed: number) =>
    Array.from({ length: images }, (_, i) => (i === 5 ? null : (i * 7919 + seed) % 97 < 60))
  await storeRun(
    [0, 1].flatMap(m => [
      { model: `model ${m} ${hostileText(m)}`, dataset: 'imagenet-1k', correct: correct(m) },
      {
        model: `model ${m} ${hostileText(m)}`,
        dataset: `set ${hostileText(2)}`,
        correct: correct(m + 40),
        label: i => hostileText(i % 4),
        className: index => hostileText(index),
        id: i => `${i} ${hostileText(i)}`,
        image: i => ({ kind: 'file', file: `/${hostileText(i)}/${i}.png` }),
        groups: i => ({
          region: hostileText(3 + (i % 5)),
          country: hostileText(8 + (i % 5)),
          income: hostileText(i % 3),
          household: `${i % 40} ${hostileText(i)}`,
        }),
      },
    ]),
    out,
  )
  const failures = hostile.map((text, i) => ({
    model: `failed ${i} ${text}`,
    dataset: text,
    code: text,
    message: text,
  }))
  await recordFailures(out, { failures, attempted: failures })
  for (const name of (await readdir(join(out, 'datasets'))).filter(name =>
    name.endsWith('.json'),
  )) {
    const file = join(out, 'datasets', name)
    const record = JSON.parse(await readFile(file, 'utf8')) as object
    const notes = [...hostile]
    const problems = hostile.map(text => ({ id: text, code: text, message: text }))
    await writeFile(file, JSON.stringify({ ...record, notes, problems, madeUp: hostileText(1) }))
  }
}

/** Opens a page and returns the requests that it made to any other place, and what a script left. */
async function visit(address: string, views: readonly string[]): Promise<object> {
  const page = await browser.newPage()
  const left: string[] = []
  const { origin } = new URL(address)
  page.on('request', request => {
    const url = request.url()
    if (!/^(data|blob):/.test(url) && !url.startsWith(origin === 'null' ? address : origin))
      left.push(url)
  })
  page.on('pageerror', error => left.push(error.message))
  page.on('dialog', dialog => {
    left.push(dialog.message())
    void dialog.dismiss()
  })
  await page.goto(address)
  let shown = ''
  for (const view of views) {
    if (view !== '') await page.goto(`${page.url().replace(/#.*/, '')}#/${view}`)
    await page.locator('h1, [role=alert]').first().waitFor()
    await page.waitForLoadState('networkidle')
    const text = await page.locator('body').innerText()
    if (/\bError\b|is not (a function|defined)/.test(text))
      left.push(`${view}: ${text.slice(0, 300)}`)
    shown += text
    const parts = await page.locator('main td, main .picture, main button').all()
    for (const part of parts.slice(0, 5)) await part.hover({ timeout: 200 }).catch(() => undefined)
  }
  const ran = await page.evaluate(() => (globalThis as { ran?: unknown }).ran)
  const isShown = shown.includes('globalThis.ran=1')
  await page.close()
  return { ran, left, isShown }
}

describe.skipIf(!chromium)('hostile names (left out: no Chromium here)', () => {
  let hostile: string[]

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'geogap-csp-'))
    canary = createServer((request, reply) => {
      asked.push(request.url ?? '')
      reply.setHeader('access-control-allow-origin', '*')
      reply.end('globalThis.ran=10')
    })
    await new Promise<void>(resolve => canary.listen(0, '127.0.0.1', resolve))
    hostile = payloads(`http://127.0.0.1:${(canary.address() as AddressInfo).port}`)
    await storeHostile(join(folder, 'results'), hostile)
    served = await serve(join(folder, 'results'), { client: await builtClient() })
    browser = await openBrowser()
  })

  afterAll(async () => {
    await browser.close()
    await served.close()
    canary.close()
    await rm(folder, { recursive: true })
  })

  it('are text in every view of the dashboard', async () => {
    const pair = new URLSearchParams({
      dataset: `set ${hostile[2]!}`,
      model: `model 0 ${hostile[0]!}`,
      first: `model 0 ${hostile[0]!}`,
      second: `model 1 ${hostile[1]!}`,
    }).toString()
    const grouped = ['region', 'country', 'income', 'label'].flatMap(by => [
      `model?${pair}&by=${by}`,
      `compare?${pair}&by=${by}`,
    ])
    const views = ['', 'models', ...grouped, `gallery?${pair}&outcome=all`, `flips?${pair}`]
    const unknown = [`gallery?dataset=${encodeURIComponent(hostile[0]!)}`, 'constructor']
    expect(await visit(served.url, [...views, ...unknown])).toEqual({
      ran: undefined,
      left: [],
      isShown: true,
    })
    expect(asked).toEqual([])
  })

  it('are text in the report', async () => {
    const file = join(folder, 'report.html')
    await writeReport(await openRun(join(folder, 'results')), file)
    expect(await visit(pathToFileURL(file).href, [''])).toEqual({
      ran: undefined,
      left: [],
      isShown: true,
    })
    expect(asked).toEqual([])
  })
})
