import { describe, expect, it } from 'vitest'
import { firstScreen } from '../../../src/analysis/firstScreen.ts'
import { progressEvidence } from '../../../src/analysis/progress/evidence.ts'
import { runView } from '../../../src/analysis/runView.ts'
import { firstScreenText } from '../../../src/cli/print/show.ts'
import { textWidth } from '../../../src/lib/table/wrapText.ts'
import { madeUpRun, type WorldOptions } from '../../report/figures/world.ts'

async function screenOf(options: WorldOptions, choice: { dataset?: string; model?: string } = {}) {
  const view = runView(madeUpRun(options))
  return firstScreen(view, { ...choice, evidence: progressEvidence(view) })
}

describe('firstScreen', () => {
  it('has the sentence, the places best first, and progress of the main benchmarks', async () => {
    const screen = await screenOf({ models: 98, catalogue: true })
    expect(screen.places.map(({ place }) => place)).toEqual([
      'Europe',
      'Americas',
      'Asia',
      'Africa',
    ])
    expect(screen.progress).toMatchObject({ reference: 'ImageNet', models: 98 })
    expect(
      screen.progress!.series.map(({ title, accuracies }) => [title, accuracies.length]),
    ).toEqual([
      ['ImageNet-Sketch', 24],
      ['Dollar Street', 24],
    ])
    expect(screen.others).toEqual(['geode'])
  })

  it('takes titles and short names, and calls no model the best that is not', async () => {
    const { sentence } = await screenOf({ models: 4 }, { dataset: 'GeoDE', model: 'resnet50' })
    expect(sentence).toMatch(/^resnet50, one of 4 models, gets/)
    await expect(screenOf({ models: 2 }, { dataset: 'geod' })).rejects.toThrow(
      'unknown data set: geod',
    )
    await expect(screenOf({ models: 2 }, { model: 'none' })).rejects.toThrow('unknown model: none')
  })
})

describe('firstScreenText', () => {
  it.each([60, 80, 120])('fits %i columns, in every world', async width => {
    for (const options of [
      { models: 98, catalogue: true },
      { models: 1 },
      { models: 2, geographic: [] },
      { models: 0 },
      { models: 3, rename: (name: string) => `${name} with a name that is long and has no end` },
    ]) {
      const text = firstScreenText(await screenOf(options), { width, color: false })
      expect(Math.max(...text.split('\n').map(textWidth))).toBeLessThanOrEqual(width)
      expect(text).not.toContain('\u001b')
    }
  })

  it.each([10, 30])('keeps a short bar for each place on a terminal of %i columns', async width => {
    const screen = await screenOf({ models: 5 })
    const text = firstScreenText(screen, { width, color: false })
    expect(text.match(/^… {2}[█▓▒·]{10} {2}/gm)).toHaveLength(screen.places.length)
  })

  it('draws bars from 0 to 100 % with shaded intervals', async () => {
    const screen = await screenOf({ models: 5 })
    const text = firstScreenText(
      { ...screen, places: [{ place: 'Asia', n: 9, accuracy: 0.5, interval: [0.25, 0.75] }] },
      { width: 60, color: false },
    )
    const [, bar] = /^Asia {2}(\S+) {2} 50\.0 %/m.exec(text)!
    expect(bar).toMatch(/^(█+)(▓+)(▒+)(·+)$/)
    const parts = ['█', '▓', '▒', '·'].map(sign => bar!.split(sign).length - 1)
    for (const part of parts) expect(Math.abs(part - bar!.length / 4)).toBeLessThanOrEqual(1)
  })

  it('has colours only where best and worst can be told apart', async () => {
    const screen = await screenOf({ models: 5 })
    expect(firstScreenText(screen, { width: 80, color: true })).toMatch(
      /\u001b\[34m█[^\n]*\u001b\[39m/,
    )
    const { finding } = screen
    const alike = { ...finding!, disparity: { ...finding!.disparity, p: 0.4 } }
    expect(
      firstScreenText({ ...screen, finding: alike }, { width: 80, color: true }),
    ).not.toContain('\u001b')
  })

  it('shows the ends of many places', async () => {
    const screen = await screenOf({ models: 3 })
    const places = Array.from({ length: 40 }, (_, i) => ({
      place: `place ${i}`,
      n: 50,
      accuracy: 1 - i / 50,
      interval: null,
    }))
    const text = firstScreenText({ ...screen, places }, { width: 80, color: false })
    expect(text).toContain('… 24 more: geogap table DIR --by region')
    expect(text).toContain('place 39')
    expect(text).not.toContain('place 20')
  })
})
