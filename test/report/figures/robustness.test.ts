import { expect, it } from 'vitest'
import { runView } from '../../../src/analysis/runView.ts'
import { drawFigures } from '../../../src/report/figures/index.ts'
import { robustness } from '../../../src/report/figures/robustness.ts'
import { modelYear } from '../../../src/analysis/citing/bibliography.ts'
import { modelNames } from '../../../src/models/catalog.ts'
import { testbed } from '../../../src/models/testbed.ts'
import { madeUpRun } from './world.ts'

it('residuals from the line in logit axes average out, per region, and a second view has the years', () => {
  const results = runView(madeUpRun({ models: 98, catalogue: true, geographic: ['geode'] }))
  const [first, second] = drawFigures(robustness, results)
  const rows = first!.rows.filter(({ region }) => region === 'Africa')
  expect(rows).toHaveLength(98)
  const mean = rows.reduce((total, { residual }) => total + Number(residual), 0) / 98
  expect(Math.abs(mean)).toBeLessThan(0.2)
  const widest = rows.reduce((a, b) => (Number(b.residual) > Number(a.residual) ? b : a))
  const observed = results
    .accuracyBy('region')
    .find(
      ({ model, dataset, group }) =>
        model === widest.model && dataset === 'geode' && group === 'Africa',
    )!
  expect(100 * observed.top1!).toBeGreaterThan(Number(widest.residual))
  expect(second!.title).toMatch(/with the year/)
  expect(second!.subtitle).toContain('by the year of the model')
  for (const { year } of second!.rows) expect(Number(year)).toBeGreaterThan(2011)
})

it('is left out with few models and with many places', () => {
  expect(drawFigures(robustness, runView(madeUpRun({ models: 4 })))).toEqual([])
})

it('the year of a model is that of its latest paper', () => {
  const unknown = testbed().filter(({ model }) => modelYear(model) === null)
  expect(unknown.map(({ name }) => name)).toEqual([])
  const names = modelNames()
  expect(names.filter(name => modelYear(name) === null).length / names.length).toBeLessThan(0.03)
  expect(modelYear('resnet50.a1_in1k')).toBe(2021)
  expect(modelYear('vgg16.tv_in1k')).toBe(2015)
  expect(modelYear('swin_tiny_patch4_window7_224.ms_in1k')).toBe(2021)
  expect(modelYear('clip:ViT-B-16-SigLIP2/webli')).toBe(2025)
  expect(modelYear('clip:ViT-B-16-SigLIP/webli')).toBe(2023)
  expect(modelYear('vit_base_patch16_dinov3.lvd1689m')).toBe(2025)
  expect(modelYear('nobody')).toBeNull()
})
