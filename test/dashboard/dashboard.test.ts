import { readdir, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { type AddressInfo } from 'node:net'
import { join, normalize } from 'node:path'
import { type Browser, type BrowserContext, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeBundle } from '../../src/dashboard/bundle.ts'
import { serve, type DashboardServer } from '../../src/dashboard/serve.ts'
import { axe, chromium, consoleErrors, openBrowser, overlaps } from '../helpers/browser.ts'
import { builtClient } from '../helpers/client.ts'
import { hasRedis } from '../evaluate/queue/redis.ts'
import { long } from '../helpers/torture.ts'
import { startCluster } from './cluster.ts'
import { makeWorld, type World } from './world.ts'

/** The bundle too in the long form; in the short one it is told apart by its views and their words. */
const origin = long ? ['server', 'bundle'] : ['server']

const street = 'dataset=street&model=resnet50'
/** Every view; the gallery of a region whose pictures are all there. */
const views: Record<string, string> = {
  overview: '',
  'overview of a country': '?country=Kenya&measure=gap',
  models: 'models',
  'models of a region': 'models?region=Africa&label=cup',
  'a model by region': `model?${street}`,
  'a model by country': `model?${street}&by=country`,
  'a model by income': `model?${street}&by=income`,
  'a model by class': `model?${street}&by=label`,
  gallery: `gallery?${street}&region=Americas`,
  compare: 'compare?dataset=street&first=resnet50&second=vit_base',
  'differing images':
    'flips?dataset=street&first=resnet50&second=vit_base&change=gained&region=Americas',
}

describe.skipIf(!chromium)('the dashboard in a browser (left out: no Chromium here)', () => {
  let world: World
  let client: string
  let served: DashboardServer
  let files: Server
  let browser: Browser
  let context: BrowserContext
  const origins: Record<string, string> = {}

  beforeAll(async () => {
    client = await builtClient()
    world = await makeWorld()
    served = await serve(world.results, { client, images: [world.data] })
    const bundle = join(world.folder, 'bundle')
    await writeBundle(world.results, bundle, { client, images: [world.data] })
    files = await fileServer(bundle)
    origins['server'] = served.url
    origins['bundle'] = `http://127.0.0.1:${(files.address() as AddressInfo).port}/`
    browser = await openBrowser()
    context = await browser.newContext()
  })

  afterAll(async () => {
    await browser.close()
    await served.close()
    files.close()
    await rm(world.folder, { recursive: true })
  })

  interface Look {
    width: number
    scheme: 'light' | 'dark'
    contrast: boolean
  }
  const wide: Look = { width: 1440, scheme: 'light', contrast: true }

  const show = async (page: Page, { width, scheme }: Look): Promise<void> => {
    await page.setViewportSize({ width, height: 900 })
    await page.emulateMedia({ colorScheme: scheme })
    await ready(page)
  }

  const pages = new Map<string, { page: Page; errors: string[] }>()
  /** Returns the one page of an origin, at its first view and wide: loading the scripts anew takes longer than most tests. */
  const opened = async (from: string): Promise<{ page: Page; errors: string[] }> => {
    let known = pages.get(from)
    if (!known) {
      const page = await context.newPage()
      known = { page, errors: consoleErrors(page) }
      pages.set(from, known)
    }
    await known.page.bringToFront()
    await known.page.goto(`${origins[from]!}#/`)
    await show(known.page, wide)
    known.errors.splice(0)
    return known
  }

  const go = async (page: Page, view: string): Promise<void> => {
    await page.goto(`${page.url().replace(/#.*/, '')}#/${view}`)
    await ready(page)
  }

  /** What views say at 1440 pixels, by their origin and name. */
  const texts = new Map<string, string>()
  const keepText = async (page: Page, from: string, name: string) =>
    texts.set(`${from} ${name}`, await page.locator('main').innerText())

  const complaints = async (page: Page, errors: string[], { contrast }: Look) => ({
    errors: errors.splice(0),
    overlaps: await overlaps(page),
    axe: await axe(page, { contrast }),
  })
  const none = { errors: [], overlaps: [], axe: [] }

  it.each<[from: string, looks: Look[]]>([
    [
      'server',
      [
        { width: 390, scheme: 'light', contrast: true },
        { width: 1024, scheme: 'dark', contrast: true },
        ...(long ? [{ width: 1440, scheme: 'dark', contrast: true } as const] : []),
      ],
    ],
    [
      'bundle',
      [
        ...(long
          ? [
              { width: 390, scheme: 'dark', contrast: true } as const,
              { width: 2560, scheme: 'dark', contrast: true } as const,
            ]
          : []),
        { width: 1440, scheme: 'light', contrast: long },
      ],
    ],
  ])(
    '%s: every view without complaint, cut or covered text, or barrier, at each width',
    async (from, looks) => {
      const { page, errors } = await opened(from)
      for (const [name, view] of Object.entries(views)) {
        await go(page, view)
        for (const look of looks) {
          await show(page, look)
          expect([name, look, await complaints(page, errors, look)]).toEqual([name, look, none])
        }
        await show(page, wide)
        await keepText(page, from, name)
      }
    },
  )

  it.each(origin)(
    '%s: three clicks lead from all models to the images of one region',
    async from => {
      const { page, errors } = await opened(from)
      await go(page, 'models')
      await page.locator('.drawing circle:has(title)').first().click({ force: true })
      await page.waitForURL(/#\/\?model=/)
      await ready(page)
      const sentence = await page.locator('.answer').innerText()
      await page.locator('.places circle:has(title)').first().click({ force: true })
      await page.waitForURL(/#\/\?.*region=/)
      await ready(page)
      expect(await page.locator('.answer').innerText()).not.toBe(sentence)
      await page.locator('.tiles .tile').first().click()
      await page.locator('dialog.large ol.top').nth(1).waitFor()
      expect(await axe(page)).toEqual([])
      const answers = page.locator('dialog.large ol.top').first().locator('li')
      const shown = [await answers.nth(0).textContent(), await answers.nth(1).textContent()]
      expect(shown).toEqual([
        expect.stringMatching(/^class 2 (100|\d\d?)\.\d$/),
        expect.stringMatching(/^class 2 ✓ (100|\d\d?)\.\d$/),
      ])
      expect(errors.filter(text => !/404/.test(text))).toEqual([])
      await page.keyboard.press('Escape')
    },
  )

  it('answers five questions in at most three clicks each', async () => {
    const { page } = await opened('server')
    let clicks = 0
    const click = async (role: 'link' | 'button', name: RegExp): Promise<void> => {
      clicks++
      await page.getByRole(role, { name }).first().click()
    }
    const choose = async (name: string, model: string): Promise<void> => {
      clicks++
      await page.getByRole('combobox', { name, exact: true }).selectOption(model)
      await ready(page)
    }
    const start = async (): Promise<void> => {
      clicks = 0
      await go(page, '')
      await choose('model', 'vit_base')
    }
    await start()
    const [, worst = ''] = /worst in (\w+)/.exec(await page.locator('.answer').innerText())!
    // The model is the one with the circle on the lines of progress.
    expect(await page.locator('.progress svg').innerHTML()).toContain('vit_base')
    const saved = page.waitForEvent('download')
    await page.locator('.progress').getByRole('button', { name: 'Save for a paper' }).click()
    expect((await saved).suggestedFilename()).toMatch(/^Accuracy-of-3-models-.*\.svg$/)
    const svg = await readFile(await (await saved).path(), 'utf8')
    expect(svg).toMatch(/^<svg [^]*#1f2328[^]*<text/)
    expect(svg).not.toContain('currentColor')
    await click('button', new RegExp(`${worst}|Kenya|India|Brazil|France`))
    await page.locator('dialog.large h2').waitFor()
    expect(clicks).toBe(2)
    await page.keyboard.press('Escape')
    await start()
    await click('link', /^Compare with another model$/)
    await choose('second model', 'resnet50')
    const row = page.getByRole('row', { name: new RegExp(`^${worst} `) })
    expect(await row.innerText()).toMatch(/[+−]\d+\.\d[^]*\d\.\d/)
    await row.getByRole('link').first().waitFor()
    expect(clicks).toBe(3)
  })

  it.skipIf(!hasRedis)(
    'runs and workers at a queue are shown while they change (left out: no redis-server here)',
    async () => {
      const cluster = await startCluster(world.folder)
      const watched = await serve(cluster.place, { client, queue: cluster.queue })
      origins['cluster'] = watched.url
      try {
        const { page, errors } = await opened('cluster')
        await page.getByRole('link', { name: 'Cluster' }).click()
        await page.getByText(/1 set apart/).waitFor()
        await page.getByText(/^1 of 1 workers are at work/).waitFor()
        expect(await page.locator('main').innerText()).toMatch(
          /Run shown: running[^]*Of 400 units:[^]*this unit is poison/,
        )
        for (const look of [wide, { width: 390, scheme: 'dark', contrast: true }] as const) {
          await show(page, look)
          expect([look, await complaints(page, errors, look)]).toEqual([look, none])
        }
        await page.close()
      } finally {
        await watched.close()
        await cluster.stop()
      }
    },
  )

  it('goes the same way by keyboard alone', async () => {
    const { page } = await opened('server')
    await page.reload()
    await ready(page)
    for (const name of ['Models', 'resnet50', 'All groups as tables', 'Africa']) {
      await tabTo(page, name)
      await page.keyboard.press('Enter')
      await ready(page)
    }
    expect(page.url()).toMatch(/#\/gallery\?model=resnet50&dataset=street&region=Africa/)
    await tabTo(page, 'Select this page')
    await page.keyboard.press('Space')
    expect(await page.getByRole('button', { name: /^Save [1-9]\d* selected/ }).isEnabled()).toBe(
      true,
    )
  })

  it.each(origin)('%s: an address restores what was chosen', async from => {
    const { page } = await opened(from)
    await go(page, `model?${street}`)
    await page.getByRole('combobox', { name: 'region' }).selectOption('Asia')
    await page.getByRole('link', { name: 'by label' }).click()
    await ready(page)
    const text = await page.locator('main').innerText()
    expect(text).toMatch(/n = 60/)
    await page.reload()
    await ready(page)
    expect(await page.locator('main').innerText()).toBe(text)
    expect(await page.getByRole('combobox', { name: 'region' }).inputValue()).toBe('Asia')
    await page.goBack()
    await ready(page)
    expect(await page.locator('main').innerText()).not.toBe(text)
  })

  it('saves selected images as slice.csv', async () => {
    const { page } = await opened('server')
    await go(page, views['gallery']!)
    for (const box of (await page.getByRole('checkbox').all()).slice(0, 3)) await box.check()
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Save 3 selected as slice.csv' }).click(),
    ])
    expect(download.suggestedFilename()).toBe('slice.csv')
    const [head, ...rows] = (await readFile(await download.path(), 'utf8')).trimEnd().split('\n')
    expect(head).toBe('dataset,id,label,prediction,region,country,model')
    expect(rows).toHaveLength(3)
    expect(rows[0]).toMatch(/^street,.*,class 2,Americas,Brazil,resnet50$/)
  })

  it('shows markup in names as text', async () => {
    const { page, errors } = await opened('server')
    page.on(
      'dialog',
      dialog => void dialog.dismiss().then(() => errors.push('a script in a name ran')),
    )
    await go(
      page,
      `gallery?dataset=street&model=${encodeURIComponent('resnet18 <img src=x onerror=alert(1)>')}&outcome=all`,
    )
    const text = await page.locator('main').innerText()
    for (const name of ['<img src=x onerror=alert(1)>', '<b>lamp</b>']) expect(text).toContain(name)
    expect(await page.locator('img[src="x"], main b:has-text("lamp")').count()).toBe(0)
    expect(errors.filter(text => !/404/.test(text))).toEqual([])
  })

  it('says what to do where a script of the page cannot be loaded', async () => {
    const page = await browser.newPage()
    await page.route('**/worker-*.js', route => route.abort())
    await page.goto(origins['server']!)
    expect(await page.getByRole('alert').innerText()).toContain('Is geogap serve still running')
    await page.close()
  })

  it('the bundle says the same as the server, and names no folder', async () => {
    for (const from of ['server', 'bundle'])
      for (const [name, view] of Object.entries(views)) {
        if (texts.has(`${from} ${name}`)) continue
        const { page } = await opened(from)
        await go(page, view)
        await keepText(page, from, name)
      }
    for (const name of Object.keys(views))
      expect([name, texts.get(`bundle ${name}`)]).toEqual([name, texts.get(`server ${name}`)])
    const bundle = join(world.folder, 'bundle')
    for (const file of (await readdir(bundle, { recursive: true })).filter(name =>
      name.endsWith('.json'),
    ))
      expect(await readFile(join(bundle, file), 'utf8')).not.toContain(world.folder)
  })
})

/** Whether every figure is drawn and no question is open. */
const settled = `!!document.querySelector('main h1') && !document.querySelector('main .quiet')?.textContent.startsWith('…') && !document.querySelector('[aria-busy=true]') &&
  [...document.querySelectorAll('.drawing')].every(drawing => drawing.querySelector('svg')?.getBoundingClientRect().height > 20)`

const ready = (page: Page): Promise<void> =>
  page.evaluate(`(async () => {
    for (let calm = 0; calm < 3; calm = ${settled} ? calm + 1 : 0)
      await new Promise(resolve => setTimeout(resolve, 40))
  })()`)

async function tabTo(page: Page, name: string): Promise<void> {
  for (let i = 0; i < 80; i++) {
    await page.keyboard.press('Tab')
    if ((await page.evaluate<string>('document.activeElement?.textContent ?? ""')) === name) return
  }
  throw new Error(`nothing called ${name} can be reached with the Tab key`)
}

/** Any web host: files below a folder and nothing else. */
async function fileServer(folder: string): Promise<Server> {
  const types: Record<string, string> = {
    html: 'text/html',
    js: 'text/javascript',
    css: 'text/css',
    json: 'application/json',
  }
  const server = createServer((request, response) => {
    const name = normalize(new URL(request.url ?? '/', 'http://x').pathname).replace(
      /\/$/,
      '/index.html',
    )
    readFile(join(folder, name)).then(
      bytes =>
        response
          .setHeader('Content-Type', types[name.split('.').at(-1)!] ?? 'image/webp')
          .end(bytes),
      () => response.writeHead(404).end(),
    )
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return server
}
