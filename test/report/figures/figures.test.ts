import { describe, expect, it } from 'vitest'
import {
  figureKinds,
  drawFigures,
  makeFigures,
  narrowWidthPx,
  titledSpec,
  wideWidthPx,
  type Figure,
} from '../../../src/report/figures/index.ts'
import { leadText } from '../../../src/report/figures/findings.ts'
import { renderSvg } from '../../../src/report/figures/render.ts'
import { runView } from '../../../src/analysis/runView.ts'
import { colorDomain } from '../../../src/report/figures/theme.ts'
import { createRun, type Run } from '../../../src/results/run.ts'
import { shareInterval } from '../../../src/metrics/intervals.ts'
import { long } from '../../helpers/torture.ts'
import { overlaps, textBoxes } from './boxes.ts'
import { madeUp, madeUpRun, worlds } from './world.ts'

const cases = Object.entries(worlds).filter(([name]) => name !== 'empty')
const results = new Map(cases.map(([name, make]) => [name, runView(make())]))
/** The stored results of a world; what was once computed from them is kept there. */
const runOf = (name: string): Run => results.get(name)!.run

const drawn = new Map<string, Figure[][]>()
/** All figures of a world by their kind, drawn once. */
function figuresByKind(name: string): Figure[][] {
  const figures = drawn.get(name) ?? figureKinds.map(kind => drawFigures(kind, results.get(name)!))
  drawn.set(name, figures)
  return figures
}
const allFigures = (name: string): Figure[] => figuresByKind(name).flat()

/** Outlines of the world's countries come from a package; their number is enough here. */
const elided = (key: string, value: unknown): unknown =>
  key === 'arcs' && Array.isArray(value) ? value.length : value

describe('specifications', () => {
  it.each(figureKinds.map(({ name }) => name))('%s has not changed', async name => {
    const kind = figureKinds.findIndex(known => known.name === name)
    const figures = ['few', 'catalogue'].flatMap(world => figuresByKind(world)[kind]!)
    const shown = figures
      .slice(0, 1)
      .map(figure => ({ ...figure, spec: titledSpec(figure, wideWidthPx) }))
    await expect(`${JSON.stringify(shown, elided, 1)}\n`).toMatchFileSnapshot(
      `snapshots/${name}.json`,
    )
  })

  it('are plain data, the same from the same results', () => {
    for (const figure of allFigures('few')) {
      expect(JSON.parse(JSON.stringify(figure.spec(wideWidthPx)))).toEqual(figure.spec(wideWidthPx))
    }
  })
})

describe('captions', () => {
  it.each(cases.map(([name]) => name))('say in every case what is made up, with n (%s)', name => {
    for (const { caption, subtitle, rows } of allFigures(name)) {
      expect(caption).toContain(madeUp)
      expect(subtitle).toMatch(/\d (\S+ )?(model|image|seed)/)
      expect(rows.length).toBeGreaterThan(0)
    }
  })

  it('leave out the note where nothing is made up', () => {
    const figures = makeFigures({ ...runOf('few'), datasets: new Map() }, 'regions')
    expect(figures[0]!.caption).not.toContain('Made-up')
  })
})

describe('titles', () => {
  it.each(cases.map(([name]) => name))(
    'state a finding with its number, and its interval or on how much it rests (%s)',
    name => {
      for (const { id, title } of allFigures(name))
        expect([id, title]).toEqual([id, expect.stringMatching(/\d.*\d|no interval|\d models?\)/)])
    },
  )

  it('say that a difference may be chance where its interval has 0, and leave few images no lead', () => {
    const place = (place: string, hits: number, n: number) => {
      const [low, high] = shareInterval(hits, n)!
      return { place, n, accuracy: (100 * hits) / n, low: 100 * low, high: 100 * high }
    }
    expect(leadText([place('Europe', 6, 10), place('Africa', 4, 10)], 'on own')).toMatch(
      /^Europe and Africa differ by 20\.0 points \(−.* on own, which may be chance$/,
    )
    expect(leadText([place('Europe', 600, 1000), place('Africa', 400, 1000)], 'on own')).toMatch(
      /^Europe leads Africa by 20\.0 points \(1/,
    )
    const alike = Array.from({ length: 20 }, (_, i) => place(`place ${i}`, 9 + (i % 3), 18))
    expect(leadText(alike, 'on own')).toBe(
      'At most one point of difference is left after shrinkage on own',
    )
  })
})

describe('legends', () => {
  const svgOf = (world: string, name: string) =>
    renderSvg(makeFigures(runOf(world), name)[0]!.spec(wideWidthPx))

  it.each([
    ['mixed', 'progress', 'zero-shot models, in no line'],
    ['mixed', 'progress', ' at the standard rate'],
    ['mixed', 'disparity', 'zero-shot models, in no line'],
    ['mixed', 'region-lines', 'zero-shot models, in no line'],
    ['catalogue', 'interventions', 'baseline'],
    ['catalogue', 'scaling', 'a model'],
    ['catalogue', 'regions', 'every model'],
    ['catalogue', 'robustness', 'ImageNet-1k ('],
    ['small groups', 'map', 'fewer than 30 images'],
  ])('of %s, %s explain “%s”', async (world, name, text) => {
    expect(await svgOf(world, name)).toContain(text)
  })

  it('have no colours of pretraining data that nobody knows', async () => {
    const results = runView(madeUpRun({ models: 6 }))
    const names = new Map(results.models.map((model, i) => [model, `own-${i}`]))
    const run = results.run
    const cells = run.cells.map(cell => ({ ...cell, model: names.get(cell.model)! }))
    const entries = run.entries.map(entry => ({
      ...entry,
      identity: { ...entry.identity, model: names.get(entry.identity.model)! },
    }))
    const [figure] = makeFigures(createRun({ ...run, cells, entries }), 'robustness')
    expect(await renderSvg(figure!.spec(wideWidthPx))).not.toContain('not known')
  })
})

describe('drawings', () => {
  /** One figure of each kind, in the long form all: the worlds take turns in whose data set a figure shows. */
  const someFigures = (name: string): Figure[] => {
    const turn = cases.findIndex(([world]) => world === name)
    return long
      ? allFigures(name)
      : figuresByKind(name).flatMap(figures => figures.at(turn % figures.length) ?? [])
  }

  it.each(
    cases.flatMap(([name]) =>
      (long ? [wideWidthPx, narrowWidthPx] : [narrowWidthPx]).map(width => [name, width] as const),
    ),
  )('of %s at %i pixels fit and no text covers another', async (name, width) => {
    for (const figure of someFigures(name)) {
      const svg = await renderSvg(titledSpec(figure, width))
      const boxes = textBoxes(svg)
      expect(overlaps(boxes), figure.id).toEqual([])
      expect(svg, figure.id).not.toMatch(/NaN|undefined|>null</)
      const [drawn] = /width="(\d+)"/.exec(svg)!.slice(1).map(Number)
      expect(drawn, figure.id).toBeLessThanOrEqual(width + 20)
      expect(Math.max(...boxes.map(({ right }) => right)), figure.id).toBeLessThanOrEqual(
        drawn! + 1,
      )
    }
  })

  it('carry names as text, never as markup', async () => {
    const [figure] = makeFigures(runOf('long names'), 'regions')
    const svg = await renderSvg(figure!.spec(wideWidthPx))
    expect(svg).toContain('&lt;b&gt;&amp;')
    expect(svg).not.toContain('<b>')
  })
})

describe('edges', () => {
  it.each([[[]], [[50]], [[90, 90]], [[100]], [[0]], [[3, 97]]])(
    'colours of %j rise',
    accuracies => {
      const [low, high] = colorDomain(accuracies)
      expect(high - low).toBeGreaterThanOrEqual(10)
      for (const accuracy of accuracies) expect(accuracy >= low && accuracy <= high).toBe(true)
    },
  )

  it('a map of colours needs a cell with enough images', () => {
    const run = madeUpRun({ models: 1, countries: 4, classes: 1 })
    const cells = run.cells.map(cell => ({ ...cell, n: 1, top1: 1, top5: 1 }))
    const small = createRun({ ...run, cells })
    for (const name of ['class-region', 'income-region'])
      expect(() => makeFigures(small, name)).toThrow(`no figure ${name} from these results`)
  })

  it('a region whose images all failed is named with those that are too small', () => {
    const run = runOf('few')
    const cells = run.cells.map(cell => (cell.groups['region'] === 'Asia' ? { ...cell, n: 0, top1: 0, top5: 0, errors: 5 } : cell)) // prettier-ignore
    const [figure] = makeFigures(createRun({ ...run, cells }), 'regions')
    expect(figure!.caption).toContain('Left out for fewer than 30 images: Asia.')
  })

  it('a difference of regions is of those with enough images alone', () => {
    const run = runOf('few')
    const cells = run.cells.map(cell => {
      const { region, income_group: income } = cell.groups
      if (region !== 'Africa') return cell
      const n = cell.label === 'stove' && income === 'Q1' ? 1 : 0
      return { ...cell, n, top1: n, top5: n }
    })
    const [map] = makeFigures(createRun({ ...run, cells }), 'region-map')
    expect(map!.title).toMatch(/^Europe leads Asia by /)
  })

  it('a column that is empty makes no data set geographic', () => {
    const run = madeUpRun({ models: 2, standard: ['imagenet-1k'], geographic: ['own'] })
    const blank = run.cells.map(cell => ({ ...cell, groups: { ...cell.groups, region: null } }))
    const results = runView(createRun({ ...run, cells: blank }))
    expect(makeFigures(results.run, 'regions').map(({ title }) => title)).toEqual([
      'Spain leads Ghana by about 19 points after shrinkage (n = 48 and 165) in the best model on own (made-up data)',
    ])
    const bare = run.cells.map(cell => ({ ...cell, groups: {} }))
    expect(runView(createRun({ ...run, cells: bare })).roles.geographic).toEqual([])
  })
})

describe('zero-shot models', () => {
  it('are drawn beside the others, without a part in the lines', () => {
    const mixed = results.get('mixed')!
    expect(mixed.fittedModels).toHaveLength(4)
    const [figure] = makeFigures(runOf('mixed'), 'progress')
    const zeroShot = figure!.rows.filter(row => row['fitted'] === 'no')
    expect(new Set(zeroShot.map(row => row['model'])).size).toBe(3)
    expect(figure!.caption).toContain('fitted to the 4 models that are not zero-shot')
    const rates = makeFigures(runOf('mixed'), 'rates')[0]!
    expect(rates.rows.map(row => row['models'])).toEqual([4, 4, 4, 4])
  })

  it('have the line where nothing else was evaluated', () => {
    expect(runView(madeUpRun({ models: 3, zeroShot: 3 })).fittedModels).toHaveLength(3)
  })
})

describe('choices', () => {
  it('draw one data set and one model on request', () => {
    const [figure, ...others] = makeFigures(runOf('few'), 'map', {
      dataset: 'geode',
      model: 'resnet50',
    })
    expect(others).toEqual([])
    expect(figure!.subtitle).toContain('resnet50')
  })

  it.each([
    [
      '1',
      ['progress', 'disparity', 'region-map'].flatMap(name => [
        `${name}-dollar-street`,
        `${name}-geode`,
      ]),
    ],
    ['2', ['disparity-dollar-street', 'region-lines-dollar-street']],
    ['3', ['scaling-dollar-street']],
    ['4', ['progress-dollar-street']],
    ['5', ['progress-geode']],
    ['6', ['disparity-dollar-street']],
    ['7', ['disparity-geode', 'region-lines-geode']],
    ['8', ['disparity-geode']],
    ['9', ['europe-against-dollar-street', 'europe-against-geode']],
    ['10', ['scaling-geode', 'families-geode']],
    ['11', ['western-share']],
  ])('draw figure %s of the paper', (number, ids) => {
    expect(
      makeFigures(runOf('catalogue'), number)
        .map(({ id }) => id)
        .sort(),
    ).toEqual(ids.sort())
  })

  it('draw a study of own data, one figure a model, by regions of any name', () => {
    const row = (model: string, setting: number) => ({
      model,
      setting,
      metric: 'homes disparity',
      values: [0.1, 0.2],
    })
    const rows = ['a', 'b'].flatMap(model => [row(model, 0.5), row(model, 1)])
    const run = { ...runOf('few'), studies: new Map([['last-layer', rows], ['western-share', rows]]) } // prettier-ignore
    expect(makeFigures(run, 'retraining').map(({ id }) => id)).toEqual([
      'retraining-a',
      'retraining-b',
    ])
    const [figure] = makeFigures(run, 'western-share')
    expect(figure!.caption).toMatch(/^The largest difference of top-1 accuracy between regions/)
    expect(figure!.subtitle).toBe(
      'Disparity by the western share of the training images: a, n = 2 seeds at each of 2 shares',
    )
  })

  it('keep the figures of data sets apart whose names are in one script or another', () => {
    const run = madeUpRun({ models: 2, geographic: ['写真', '図鑑', 'my set', 'my-set'] })
    const ids = makeFigures(run, 'regions').map(({ id }) => id)
    expect(ids).toEqual(['regions-写真', 'regions-図鑑', 'regions-my-set', 'regions-my-set-2'])
  })

  it.each([
    [{ dataset: 'geod' }, 'unknown data set: geod; nearest: geode'],
    [{ model: 'resnet5' }, 'unknown model: resnet5; nearest: resnet50'],
  ])('refuse names that are not there', (options, message) => {
    expect(() => makeFigures(runOf('few'), 'map', options)).toThrow(message)
  })

  it('name what a figure lacks', () => {
    expect(() => makeFigures(worlds['empty']!(), 'map')).toThrow(
      'it needs a data set with countries',
    )
    expect(() => makeFigures(runOf('one'), 'progress')).toThrow('it needs two models')
    expect(() => makeFigures(runOf('one'), 'pie')).toThrow('unknown figure: pie')
  })

  it.each(figureKinds.map(kind => kind.name))('%s draws nothing from nothing', name => {
    expect(
      figureKinds.find(kind => kind.name === name)!.make(runView(worlds['empty']!()), {}),
    ).toEqual([])
  })
})
