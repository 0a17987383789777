import { type Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { axe, chromium, consoleErrors, openBrowser, overlaps } from './browser.ts'

describe.skipIf(!chromium)('the browser checks find', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await openBrowser()
  })
  afterAll(() => browser.close())

  const pageOf = async (body: string) => {
    const page = await browser.newPage({ viewport: { width: 400, height: 300 } })
    const errors = consoleErrors(page)
    await page.setContent(
      `<!doctype html><html lang="en"><title>a page</title><main><h1>a page</h1>${body}</main>`,
    )
    return { page, errors }
  }

  it('nothing on a plain page', async () => {
    const { page, errors } = await pageOf('<p>one</p><p>two <b>three</b></p>')
    expect([await overlaps(page), await axe(page), errors]).toEqual([[], [], []])
  })

  it('a text on another, in HTML and in SVG', async () => {
    const svg =
      '<svg role="img" aria-label="s"><text x="9" y="20">four</text><text x="12" y="22">five</text></svg>'
    const { page } = await pageOf(`<p>one</p><p style="margin-top:-30px">two</p>${svg}`)
    expect(await overlaps(page)).toEqual(['one | two', 'four | five'])
  })

  it('no overlap of what is hidden or clipped, and what the page cuts off', async () => {
    const clip =
      '<div tabindex="0" style="height:20px;overflow:hidden">a<br>b<br>c<br>d</div><p>next</p>'
    const { page } = await pageOf(
      `${clip}<p hidden>h</p><p style="width:900px;text-align:right">far</p>`,
    )
    expect(await overlaps(page)).toEqual(['beyond the edge: far', 'the page scrolls sideways'])
  })

  it('a text that its box cuts, and none that scrolls', async () => {
    const { page } = await pageOf(
      '<p style="width:40px;overflow:hidden;white-space:nowrap">a long name</p>' +
        '<p tabindex="0" style="width:40px;overflow:auto;white-space:nowrap">another long name</p>',
    )
    expect(await overlaps(page)).toEqual(['cut: a long name'])
  })

  it('a console error, a script’s error and a missing label', async () => {
    const { page, errors } = await pageOf(
      '<input><script>console.error("bad"); throw new Error("worse")</script>',
    )
    expect(errors).toEqual(['bad', 'worse'])
    expect((await axe(page))[0]).toMatch(/^label: /)
  })
})
