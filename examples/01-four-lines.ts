/** The four lines of the README, on what `geogap demo` drew: with benchmarks of yours, `{ models: ['resnet50'], datasets: ['geode'] }`. */
import { evaluate, writeReport } from 'geogap'

const run = await evaluate({
  models: ['demo/models/lcnet_050.fitted_400.json'],
  datasets: [{ name: 'demo/world/households.csv', classes: 'demo/world/classes.txt' }],
  out: 'results',
})
console.table(run.accuracy({ by: 'region' }))
await writeReport(run, 'report.html')
