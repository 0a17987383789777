/** Table 3: robustness interventions on a ResNet-50. */
import { interventionModels } from './interventionModels.ts'
import { oodBenchmarks } from '../../metrics/progress.ts'
import { testbedModel } from '../../models/testbed.ts'
import {
  compareWithPaper,
  type PaperComparison,
  type MeasuredValue,
  printedValues,
} from './comparison.ts'
import { europeAfrica, largestDisparity, meanAccuracy } from './disparities.ts'
import { type PaperView } from './paperView.ts'

export async function interventionRows(evidence: PaperView): Promise<PaperComparison[]> {
  const printed = printedValues('3')
  const rows: PaperComparison[] = []
  for (const [name, alias] of Object.entries(interventionModels)) {
    const [row, model] = [name.toLowerCase(), testbedModel(alias)]
    const one = (quantity: string, unit: string, ours: MeasuredValue, column = quantity): number =>
      rows.push(
        compareWithPaper(
          { table: '3', set: model, row, quantity, unit },
          ours,
          printed(row, column),
        ),
      )
    one('imagenet-1k', 'percent', meanAccuracy(evidence, ['imagenet-1k'], model))
    one('ood average', 'percent', meanAccuracy(evidence, oodBenchmarks, model))
    for (const benchmark of ['geode', 'dollarstreet']) {
      const column = `${benchmark} disparity`
      one(column, 'points', await largestDisparity(evidence, benchmark, model))
      one(
        `${benchmark} europe minus africa`,
        'points',
        europeAfrica(evidence, benchmark, model),
        column,
      )
    }
  }
  return rows
}
