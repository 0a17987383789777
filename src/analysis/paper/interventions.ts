/** Table 3: robustness interventions on a ResNet-50. */
import { interventions } from './interventionModels.ts'
import { oodBenchmarks } from '../../metrics/progress.ts'
import { testbedModel } from '../../models/testbed.ts'
import { compare, type Comparison, type Ours, printedIn } from './comparison.ts'
import { europeAfrica, largestDisparity, meanAccuracy } from './disparities.ts'
import { type Evidence } from './evidence.ts'

export async function tableThree(evidence: Evidence): Promise<Comparison[]> {
  const printed = printedIn('3')
  const rows: Comparison[] = []
  for (const [name, alias] of Object.entries(interventions)) {
    const [row, model] = [name.toLowerCase(), testbedModel(alias)]
    const one = (quantity: string, unit: string, ours: Ours, column = quantity): number =>
      rows.push(compare({ table: '3', set: model, row, quantity, unit }, ours, printed(row, column)))
    one('imagenet-1k', 'percent', meanAccuracy(evidence, ['imagenet-1k'], model))
    one('ood average', 'percent', meanAccuracy(evidence, oodBenchmarks, model))
    for (const benchmark of ['geode', 'dollarstreet']) {
      const column = `${benchmark} disparity`
      one(column, 'points', await largestDisparity(evidence, benchmark, model))
      one(`${benchmark} europe minus africa`, 'points', europeAfrica(evidence, benchmark, model), column)
    }
  }
  return rows
}
