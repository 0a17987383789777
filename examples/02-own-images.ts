/** Images of your own: a table with a row an image, its columns named as you like. Regions come from the countries. */
import { writeFile } from 'node:fs/promises'
import { evaluate } from 'geogap'

const photos = [
  { file: 'demo/world/households/Europe-0-0.jpg', thing: 'house', where: 'NO' },
  { file: 'demo/world/households/Europe-0-1.jpg', thing: 'stove', where: 'NO' },
  { file: 'demo/world/households/Africa-0-0.jpg', thing: 'house', where: 'NG' },
]
const rows = photos.map(({ file, thing, where }) => `${file},${thing},${where}`)
await writeFile('mine.csv', ['photo,thing,where', ...rows, ''].join('\n'))

const run = await evaluate({
  models: ['demo/models/lcnet_050.fitted_400.json'],
  datasets: [
    {
      name: 'mine.csv',
      map: { image: 'photo', label: 'thing', country: 'where' },
      classes: 'demo/world/classes.txt',
      regions: 'continents-1',
    },
  ],
  out: 'results-mine',
})
console.table(run.accuracy({ by: ['region', 'country'] }))
