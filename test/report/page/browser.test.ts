import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Browser, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeReport } from '../../../src/report/page/reportPage.ts'
import { axe, chromium, consoleErrors, openBrowser, overlaps } from '../../helpers/browser.ts'
import { madeUpRun, worlds } from '../figures/world.ts'
import { long } from '../../helpers/torture.ts'

describe.skipIf(!chromium)('the report in a browser, from a file and without a network', () => {
  let browser: Browser
  let folder: string
  let address: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'geogap-report-'))
    const file = join(folder, 'report.html')
    await writeReport(madeUpRun({ models: 4, problems: true }), file)
    address = pathToFileURL(file).href
    browser = await openBrowser()
  })
  afterAll(async () => {
    await browser.close()
    await rm(folder, { recursive: true, force: true })
  })

  interface Look {
    width: number
    colorScheme: 'light' | 'dark'
  }

  let only: { page: Page; errors: string[] } | undefined
  /** Returns the one page, loaded anew: a window of its own takes longer than most tests. */
  async function opened(
    { width, colorScheme }: Look = { width: 1440, colorScheme: 'light' },
  ): Promise<[Page, string[]]> {
    if (!only) {
      const context = await browser.newContext({ offline: true })
      const page = await context.newPage()
      only = { page, errors: consoleErrors(page) }
    }
    const { page, errors } = only
    await page.setViewportSize({ width, height: 850 })
    await page.emulateMedia({ media: 'screen', colorScheme })
    await page.goto('about:blank')
    errors.splice(0)
    await page.goto(address)
    return [page, errors]
  }

  it.each(
    (
      [
        [390, 'dark', true],
        [1024, 'light', true],
        [1440, 'light', long],
        [2560, 'dark', long],
        [390, 'light', long],
        [1440, 'dark', long],
      ] as const
    ).slice(0, long ? 6 : 3),
  )(
    'at %i pixels, %s: no error, no text cut, on another or beyond the edge, open to all, folded or not; contrast too: %s',
    async (width, colorScheme, contrast) => {
      const [page, errors] = await opened({ width, colorScheme })
      expect(await overlaps(page)).toEqual([])
      await page.evaluate(
        'for (const part of document.querySelectorAll("details.fold")) part.open = true',
      )
      expect(await overlaps(page)).toEqual([])
      expect(await axe(page, { contrast })).toEqual([])
      expect(errors).toEqual([])
    },
  )

  it('opens lists of columns within a phone', async () => {
    const [page] = await opened({ width: 390, colorScheme: 'light' })
    const widths = await page.evaluate(
      'Array.from(document.querySelectorAll("details"), part => ((part.open = true), document.documentElement.scrollWidth))',
    )
    expect(new Set(widths as number[])).toEqual(new Set([390]))
  })

  it.each([
    ['A4', 703, 1001],
    ['Letter', 725, 935],
  ])(
    'fits on %s: no figure higher than a page, no table wider, and dark on white',
    async (_, width, height) => {
      const [page] = await opened({ width, colorScheme: 'dark' })
      await page.emulateMedia({ media: 'print', colorScheme: 'dark' })
      await page.evaluate("dispatchEvent(new Event('beforeprint'))")
      expect(await overlaps(page)).toEqual([])
      const boxes = (selector: string) =>
        page.locator(selector).evaluateAll(parts =>
          parts.map(part => {
            const { right, height } = (part as unknown as { getBoundingClientRect(): { right: number; height: number } }).getBoundingClientRect() // prettier-ignore
            return { right, height }
          }),
        )
      const figures = await boxes('figure')
      expect(figures.length).toBeGreaterThan(10)
      for (const figure of figures) expect(figure.height).toBeLessThanOrEqual(height)
      for (const { right } of [...figures, ...(await boxes('table'))])
        expect(right).toBeLessThanOrEqual(width + 1)
      expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).toBe(
        'rgb(255, 255, 255)',
      )
      expect(await page.evaluate('getComputedStyle(document.body).color')).toBe('rgb(0, 0, 0)')
      const rowsShown = await page.evaluate<number[]>(
        'Array.from(document.querySelectorAll("tbody"), part => [...part.rows].filter(row => row.offsetHeight > 0).length)',
      )
      expect(Math.max(...rowsShown)).toBeLessThanOrEqual(40)
    },
  )

  it.skipIf(!long)(
    'of 98 models on 9 benchmarks with 60 countries: below 5.5 MB, the interval of every disparity, at most 12 screens, on a phone too (in .ci/run)',
    async () => {
      const file = join(folder, 'many.html')
      await writeReport(worlds['many']!(), file)
      expect((await stat(file)).size).toBeLessThan(5.5e6)
      expect(await readFile(file, 'utf8')).not.toContain('not computed here')
      for (const width of [390, 1440]) {
        const [page] = await opened({ width, colorScheme: 'light' })
        await page.goto(pathToFileURL(file).href)
        const screens = await page.evaluate<number>('document.documentElement.scrollHeight / 900')
        expect(screens).toBeLessThanOrEqual(12)
      }
    },
  )

  const accuracies = (page: Page): Promise<number[]> =>
    page
      .locator('#tables table')
      .first()
      .locator('tbody tr:not([hidden]) td:nth-child(4)')
      .allTextContents()
      .then(texts => texts.map(Number))

  it('sorts a table by keyboard and says so', async () => {
    const [page] = await opened()
    const heading = page.locator('#tables th', { hasText: 'top-1 %' }).first()
    await heading.locator('button').focus()
    await page.keyboard.press('Enter')
    expect(await heading.getAttribute('aria-sort')).toBe('ascending')
    const rising = await accuracies(page)
    expect(rising).toEqual([...rising].sort((a, b) => a - b))
    await page.keyboard.press('Space')
    expect(await heading.getAttribute('aria-sort')).toBe('descending')
    expect(await accuracies(page)).toEqual(rising.toReversed())
  })

  it('searches a table by keyboard and says how many rows are left', async () => {
    const [page] = await opened()
    await page.locator('#tables input[type=search]').first().focus()
    await page.keyboard.type('resnet50 geode')
    expect(await accuracies(page)).toHaveLength(1)
    expect(await page.locator('#tables [role=status]').first().textContent()).toBe('1 of 20 rows')
  })

  it('skips to the main numbers with the first key', async () => {
    const [page] = await opened()
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await page.waitForURL(/#summary$/, { timeout: 5000 })
  })

  it('saves the data behind a figure', async () => {
    const [page] = await opened()
    const download = page.waitForEvent('download')
    await page.locator('#progress-geode a[download]').click()
    const text = await readFile(await (await download).path(), 'utf8')
    expect(text.split('\n')[0]).toBe('panel,model,reference,standard,geographic,fitted')
  })

  it('runs no other script and asks for nothing', async () => {
    const [page, errors] = await opened()
    const script =
      "const s = document.createElement('script'); s.textContent = 'window.ran = true'; document.body.append(s)"
    await page.evaluate(`${script}; new Image().src = 'https://example.org/a.png'`)
    expect(await page.evaluate('window.ran')).toBeUndefined()
    expect(
      errors.filter(text => /Content Security Policy/.test(text)).length,
    ).toBeGreaterThanOrEqual(2)
  })
})
