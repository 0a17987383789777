import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeOnnx } from '../../../src/models/onnx/describe.ts'
import { geogap } from '../../helpers/cli.ts'
import { colourGraph, type Form } from '../../models/onnx/foreignGraph.ts'
import { writeWorld } from '../../helpers/world.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-describe-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const describeForm = async (form: Form) => {
  const file = join(folder, 'form.onnx')
  await writeFile(file, colourGraph(form))
  return (await describeOnnx(file)).description
}

it('writes what the file says and marks what it guesses', async () => {
  expect(
    await describeForm({ layout: 'NHWC', dtype: 'uint8', kind: 'probabilities', size: 64 }),
  ).toEqual({
    onnx: 'form.onnx',
    input: { name: 'pixels', layout: 'NHWC', dtype: 'uint8' },
    preprocessing: [
      { step: 'resize', size: 73, interpolation: 'bilinear' },
      { step: 'centerCrop', size: 64 },
      { step: 'normalize', mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
    ],
    classes: ['class 0', 'class 1', 'class 2'],
    output: { name: 'scores', kind: 'probabilities' },
    guessed: ['classes', 'preprocessing'],
  })
  const open = await describeForm({ size: 'side', classes: 1000 })
  expect(open.classes).toBe('imagenet-1k')
  expect(open.preprocessing).toContainEqual({ step: 'centerCrop', size: 224 })
  expect(open.guessed).toEqual(['preprocessing.1.size', 'output.kind', 'classes', 'preprocessing'])
  expect((await describeForm({ kind: 'embedding' })).output.kind).toBe('embedding')
  const described = await describeOnnx(join(folder, 'form.onnx'))
  expect(described.towerNote).toMatch(/^logit scale: unknown, .* no probabilities$/)
  expect(described.description.guessed).not.toContain('text')
})

it('the command writes a model that evaluate takes, and overwrites nothing unasked', async () => {
  const manifest = await writeWorld(folder, 6)
  const file = join(folder, 'mine.onnx')
  await writeFile(file, colourGraph({}))
  const first = await geogap(['models', 'describe', file])
  expect(first.stderr).toBe('')
  expect(first.stdout).toMatch(
    /wrote .*model\.json\n.* opset 20[^]*GUESSED[^]*classes: [^]*preprocessing: /,
  )
  const description = join(folder, 'model.json')
  const written = await readFile(description, 'utf8')
  const edited = written
    .replace('"class 0"', '"red"')
    .replace('"class 1"', '"green"')
    .replace('"class 2"', '"blue"')
  await writeFile(description, edited)
  const again = await geogap(['models', 'describe', file])
  expect([again.code, again.stderr]).toEqual([
    2,
    expect.stringMatching(/model\.json is there already; --force/),
  ])
  expect(await readFile(description, 'utf8')).toBe(edited)
  const common = [
    '--dataset',
    manifest,
    '--classes',
    join(folder, 'classes.txt'),
    '--out',
    join(folder, 'out'),
  ]
  const run = await geogap(['evaluate', '--model', description, ...common])
  expect([run.code, run.stdout]).toEqual([0, expect.stringMatching(/100\.0/)])
  expect((await geogap(['models', 'describe', file, '--force'])).code).toBe(0)
  expect(await readFile(description, 'utf8')).toBe(written)
})

it('an unknown option of a command within a command is one line', async () => {
  const { code, stderr } = await geogap(['models', 'describe', 'x.onnx', '--frce'])
  expect([code, stderr.trim()]).toEqual([
    2,
    expect.stringMatching(/^geogap: unknown option '--frce'.*models describe/),
  ])
})
