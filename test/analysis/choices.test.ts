/** Names, preprocessing and columns that commands on stored results take. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { geogap } from '../helpers/cli.ts'
import { pooledEvaluate } from '../helpers/pooled.ts'
import { reloadingPool } from '../helpers/reloading.ts'
import { writeModel, writeWorld } from '../helpers/world.ts'

const evaluate = pooledEvaluate(reloadingPool())

let folder: string
let out: string
const names = ['lcnet_050.seed_1', 'lcnet_050.seed_2', 'other.seed_3', 'more.seed_4', 'last.seed_5']
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-choices-'))
  out = join(folder, 'out')
  const manifest = await writeWorld(folder, 72)
  const models = []
  for (const [i, name] of names.entries())
    models.push({ ...(await writeModel(folder, i + 1)), name })
  const datasets = [{ name: manifest, classes: join(folder, 'classes.txt') }]
  await evaluate({ models, datasets, out })
  await evaluate({ models: models.slice(0, 2), datasets, out, preprocessing: 'paper' })
}, 120_000)
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('a folder in which a model has two kinds of preprocessing', () => {
  it('table shows both, or the one asked for, of the models asked for', async () => {
    const all = await geogap(['table', out, '--format', 'csv'])
    expect(all.stdout.trim().split('\n')).toHaveLength(8)
    const some = await geogap([
      ...['table', out, '--preprocessing', 'paper', '--models', 'seed_2,lcnet_050.seed_1'],
      ...['--columns', 'model,preprocessing,top1', '--sort', '-model', '--format', 'csv'],
    ])
    expect(some.stderr + some.stdout).toMatch(/unknown model: seed_2; nearest: /)
    const named = await geogap([
      ...[
        'table',
        out,
        '--preprocessing',
        'paper',
        '--models',
        'lcnet_050.seed_2,lcnet_050.seed_1',
      ],
      ...['--columns', 'model,preprocessing,top1', '--sort', '-model', '--format', 'csv'],
    ])
    expect(named.stdout).toMatch(
      /^model,preprocessing,top1\nlcnet_050\.seed_2,paper,[\d.]+\nlcnet_050\.seed_1,paper,[\d.]+\n$/,
    )
    const by = await geogap(['table', out, '--by', 'region', '--columns', 'disparity,model'])
    expect(by.stdout).toMatch(/^Disparity by region/)
  })

  it('table refuses columns that no table has', async () => {
    const { code, stderr } = await geogap(['table', out, '--sort', 'topp1'])
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/unknown column: topp1; nearest: top1/),
    ])
  })

  it('gate names the preprocessing where a model has two, and takes one', async () => {
    const gate = ['gate', out, '--min-worst', '0.01', '--format', 'json']
    const datasets = async (...more: string[]): Promise<string[]> => {
      const { stdout } = await geogap([...gate, ...more])
      const { checks, minN } = JSON.parse(stdout) as {
        checks: { model: string; dataset: string }[]
        minN: number
      }
      expect(minN).toBe(30)
      return checks.map(({ model, dataset }) => `${model} on ${dataset}`)
    }
    const all = await datasets()
    expect(all).toContain('lcnet_050.seed_1 on world, paper preprocessing')
    expect(all).toContain('lcnet_050.seed_1 on world, native preprocessing')
    expect(all).toContain('other.seed_3 on world')
    expect(new Set(await datasets('--preprocessing', 'paper'))).toEqual(
      new Set(['lcnet_050.seed_1 on world', 'lcnet_050.seed_2 on world']),
    )
  })

  it('compare takes short names and says the preprocessing', async () => {
    const { stdout, code } = await geogap(['compare', out, '--models', 'other,more'])
    expect(code).toBe(0)
    expect(stdout).toContain('first = other.seed_3, second = more.seed_4')
    const both = await geogap(['compare', out, '--models', 'lcnet_050.seed_1,lcnet_050.seed_2'])
    expect(both.stdout).toMatch(/world \(native preprocessing\): overall/)
    expect(both.stdout).toMatch(/world \(paper preprocessing\): overall/)
    const short = await geogap(['compare', out, '--models', 'lcnet_050,more'])
    expect(short.stderr).toContain('lcnet_050 is short for 2 models with results')
  })

  it("place compares own images with the folder's models", async () => {
    const { stdout, code } = await geogap(['place', out, '--models', 'last'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^last\.seed_5 \([\d.]+ % on world\) against /)
    expect(stdout).toMatch(
      /not shown to differ from comparable models of its accuracy, .+ world: Africa \([+−]?[\d.]+\)/,
    )
    expect(stdout).toContain('its models are compared with each other')
    expect(stdout).toContain('Results with native preprocessing; those with paper are left out')
    const paper = await geogap(['place', out, '--preprocessing', 'paper'])
    expect(paper.stdout).toContain('not placed: 1 comparable model, at least 4 are needed')
  })

  it('figures and slices take short names', async () => {
    const svg = join(folder, 'x.svg')
    expect((await geogap(['figure', 'regions', out, '--model', 'other', '-o', svg])).code).toBe(0)
    const slice = await geogap([
      'slice',
      out,
      '--model',
      'other',
      '--wrong',
      '-o',
      join(folder, 's.csv'),
    ])
    expect(slice.stderr).toBe('')
  })
})
