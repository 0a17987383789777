/** Pages in a real Chromium: what they complain about, which texts cover each other, and whom they shut out. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { type AxeResults } from 'axe-core'
import { type Browser, chromium as driver, type Page } from 'playwright-core'

const usual = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** The browser on this machine; absent, and `describe.skipIf(!chromium)` skips. `GEOGAP_CHROMIUM` names another. */
export const chromium: string | undefined =
  process.env.GEOGAP_CHROMIUM ?? usual.find(path => existsSync(path))

/** For use inside tests that `skipIf(!chromium)` guards; the caller closes it. */
export const openBrowser = (): Promise<Browser> =>
  driver.launch({
    ...(chromium === undefined ? {} : { executablePath: chromium }),
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-sync'],
  })

/** Errors and warnings of the page's console and scripts, blocked and failed requests, from now on. */
export function consoleErrors(page: Page): string[] {
  const found: string[] = []
  page.on('console', message => {
    if (['error', 'warning'].includes(message.type())) found.push(message.text())
  })
  page.on('pageerror', error => found.push(error.message))
  page.on('requestfailed', request =>
    found.push(`${request.url()}: ${request.failure()?.errorText ?? 'failed'}`),
  )
  return found
}

/** Pairs of visible texts that cover each other, texts that are cut or reach beyond the page's right edge, a page that scrolls sideways. */
export const overlaps = async (page: Page): Promise<string[]> =>
  page.evaluate<string[]>(await readFile(new URL('./overlaps.page.js', import.meta.url), 'utf8'))

/**
 * Violations that axe-core finds on the page as it stands: rule, what it asks for, and where. Contrast takes most of the time and
 * depends on the colours alone: of several widths of one page, one of each colour scheme needs it.
 */
export async function axe(page: Page, { contrast = true } = {}): Promise<string[]> {
  if (!(await page.evaluate<boolean>('"axe" in window')))
    await page.evaluate(
      await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'),
    )
  const rules = { 'color-contrast': { enabled: contrast } }
  const { violations } = await page.evaluate<AxeResults>(
    `axe.run(document, ${JSON.stringify({ resultTypes: ['violations'], rules })})`,
  )
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(
      ({ target, failureSummary }) => `${id}: ${help}; ${String(target)}; ${failureSummary ?? ''}`,
    ),
  )
}
