import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeMethods } from '../../src/analysis/citing/methods.ts'
import { dryRun, evaluate } from '../../src/evaluate/evaluate.ts'
import { forecastTable } from '../../src/cli/print/forecast.ts'
import { resolveModel } from '../../src/models/catalog.ts'
import { writeReport } from '../../src/report/page/reportPage.ts'
import { openRun } from '../../src/results/run.ts'
import { geogap } from '../helpers/cli.ts'
import { colourGraph } from '../models/onnx/foreignGraph.ts'
import { writeModel, writeWorld } from '../helpers/world.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-model-notes-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

it('a model with a doubt is named by the plan, tables and methods until it is evaluated without it', async () => {
  const manifest = await writeWorld(folder, 6)
  const model = await writeModel(folder)
  const note = 'guessed and not checked: preprocessing'
  const out = join(folder, 'out')
  const asked = {
    models: [{ ...model, note }],
    datasets: [{ name: manifest, classes: join(folder, 'classes.txt') }],
    out,
  }
  const warning = `warning: ${model.name}: ${note}`
  expect(forecastTable(await dryRun(asked), { out, free: null })).toContain(warning)
  await evaluate(asked)
  expect((await geogap(['table', out])).stdout).toContain(warning)
  expect(describeMethods(await openRun(out)).limitations).toContain(`${warning}.`)
  await writeReport(await openRun(out), join(folder, 'report.html'))
  expect(await readFile(join(folder, 'report.html'), 'utf8')).toContain(warning)
  await evaluate({ ...asked, models: [model] })
  expect((await geogap(['table', out])).stdout).not.toContain('warning')
})

it('weights trained with QuickGELU under a name with the plain GELU name the right one', async () => {
  for (const tag of ['openai', 'laion400m_e32']) {
    const right = `clip:ViT-B-32-quickgelu/${tag}`
    expect(resolveModel(`clip:ViT-B-32/${tag}`).note).toContain(`${right} is as trained`)
    expect(resolveModel(right).note).toBeUndefined()
  }
  const { stdout } = await geogap(['models', 'clip:ViT-B-32*'])
  expect(stdout).toMatch(/warning: clip:ViT-B-32\/openai: trained with QuickGELU/)
})

it('an evaluation of a model with guesses warns and offers the probe', async () => {
  const own = join(folder, 'own')
  const manifest = await writeWorld(own, 6)
  await writeFile(join(own, 'mine.onnx'), colourGraph({}))
  await geogap(['models', 'describe', join(own, 'mine.onnx')])
  const file = join(own, 'model.json')
  const description = await readFile(file, 'utf8')
  await writeFile(
    file,
    ['red', 'green', 'blue'].reduce(
      (text, name, i) => text.replace(`class ${i}`, name),
      description,
    ),
  )
  const asked = ['evaluate', '--model', file, '--dataset', manifest, '--out', join(own, 'out')]
  const classes = ['--classes', join(own, 'classes.txt')]
  const { stderr } = await geogap([...asked, ...classes])
  expect(stderr).toMatch(/warning: .*guessed and not checked: .*preprocessing/)
  expect(stderr).toContain(
    `100 evenly spaced images tell: geogap models probe ${file} --dataset ${manifest} --classes ${join(own, 'classes.txt')}`,
  )
  await writeFile(file, (await readFile(file, 'utf8')).replace(/,\s*"guessed": \[[^\]]*\]/, ''))
  const checked = await geogap([...asked, ...classes])
  expect(checked.stderr).not.toContain('warning')
  expect(checked.stderr).not.toContain('models probe')
})
