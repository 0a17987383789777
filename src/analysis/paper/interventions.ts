/** Compares table 3 of the paper, robustness interventions on a ResNet-50, with a run. */
import { oodBenchmarks } from '../../metrics/progress.ts'
import { testbedModel } from '../../models/testbed.ts'
import { comparisonRow, type MeasuredValue, type PaperComparison } from './comparison.ts'
import { europeAfrica, largestDisparity, meanAccuracy } from './disparities.ts'
import { interventionModels } from './interventionModels.ts'
import { type PaperView } from './paperView.ts'

export async function interventionRows(evidence: PaperView): Promise<PaperComparison[]> {
  const rowOf = comparisonRow('3')
  const rows: PaperComparison[] = []
  for (const [name, alias] of Object.entries(interventionModels)) {
    const model = testbedModel(alias)
    const add = (quantity: string, ours: MeasuredValue, column = quantity): number =>
      rows.push(rowOf({ set: model, row: name.toLowerCase(), quantity, column }, ours))
    add('imagenet-1k', meanAccuracy(evidence, ['imagenet-1k'], model))
    add('ood average', meanAccuracy(evidence, oodBenchmarks, model))
    for (const benchmark of ['geode', 'dollarstreet']) {
      const column = `${benchmark} disparity`
      add(column, await largestDisparity(evidence, benchmark, model))
      add(`${benchmark} europe minus africa`, europeAfrica(evidence, benchmark, model), column)
    }
  }
  return rows
}
