/*
 * Writes src/models/costs.tsv: parameters and multiply-adds of every architecture of the catalogue at each of its sizes.
 *
 *   npm run models:costs
 */
import { writeFile } from 'node:fs/promises'
import { modelNames, resolveModel } from '../src/models/catalog.ts'
import { costName, countCost } from '../src/models/modelCost.ts'

const specs = new Map(
  modelNames()
    .map(resolveModel)
    .filter(({ graph }) => !graph)
    .map(spec => [`${costName(spec)}\t${spec.recipe.size}`, spec]),
)
const rows = [...specs].map(([name, spec]) => {
  const { parameters, multiplyAdds } = countCost(spec)
  return `${name}\t${parameters}\t${multiplyAdds}`
})
const header = 'architecture\tsize\tparameters\tmultiplyAdds'
await writeFile(
  new URL('../src/models/costs.tsv', import.meta.url),
  `${[header, ...rows].join('\n')}\n`,
)
process.stdout.write(`${rows.length} architectures and sizes\n`)
