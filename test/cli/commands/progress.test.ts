import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { geogap } from '../../helpers/cli.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-progress-'))
  const families = ['alpha', 'beta', 'gamma', 'delta', 'epsilon', 'zeta', 'eta', 'theta']
  const rows = families.flatMap((family, f) =>
    [0, 1, 2].flatMap(i => {
      const x = 0.5 + 0.04 * f + 0.03 * i
      const noise = 0.004 * Math.sin(7 * f + 3 * i)
      return [
        `${family}_${i},imagenet-1k,${x}`,
        `${family}_${i},imagenet-sketch,${0.2 + 1.4 * (x - 0.5) + noise}`,
        `${family}_${i},dollarstreet,${0.4 + 0.5 * (x - 0.5) - noise}`,
      ]
    }),
  )
  await writeFile(join(folder, 'own.csv'), ['model,benchmark,accuracy', ...rows, ''].join('\n'))
  await geogap(['import', join(folder, 'own.csv'), '--out', join(folder, 'results')])
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const progress = (...words: string[]) => geogap(['progress', join(folder, 'results'), ...words])

describe('geogap progress', () => {
  it('says the answer first, then shows the table', async () => {
    const { code, stdout, stderr } = await progress()
    expect(stderr).toBe('')
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /^A point on ImageNet came with 1\.[34]\d points on ImageNet-Sketch and 0\.\d\d on Dollar Street: \d\.\d times \(95 % interval \d\.\d to \d\.\d; 24 models\)\.\n\nProgress against ImageNet\n/,
    )
    expect(stdout).toContain('72 imported: 72 from own.csv')
  })

  it('writes tables and figures by the ending of the file', async () => {
    const csv = join(folder, 'progress.csv')
    expect((await progress('-o', csv)).stdout).toBe(`${csv}\n`)
    const [head, ...lines] = (await readFile(csv, 'utf8')).trim().split('\n')
    expect(head).toMatch(
      /^line,standard,geographic,models,standard_rate,geographic_rate,gap,gap_low,gap_high,ratio,/,
    )
    expect(lines).toHaveLength(1)
    const svg = join(folder, 'progress.svg')
    const { stdout } = await progress('-o', svg)
    expect(stdout).toContain(
      `${svg}\nPer point on ImageNet, models gain 1.39 on ImageNet-Sketch and 0.51 on`,
    )
    expect(await readFile(svg, 'utf8')).toContain('Per point on ImageNet, models gain')
    const { stderr, code } = await progress('-o', join(folder, 'progress.xlsx'))
    expect(code).toBe(2)
    expect(stderr).toContain('not ')
  })

  it('takes axes, clusters, models and benchmarks', async () => {
    const { stdout } = await progress(
      '--axis',
      'probit',
      '--cluster',
      'none',
      '--standard',
      'ImageNet-Sketch',
    )
    expect(stdout).toMatch(/^One probit on ImageNet came with/)
    expect(stdout).toContain('every model as independent')
    const few = await progress('--models', 'alpha_0,beta_1')
    expect(few.stdout).toContain('whether the two differ cannot be told (two models')
    const unknown = await progress('--geographic', 'geode')
    expect(unknown).toMatchObject({ code: 2, stdout: '' })
    expect(unknown.stderr).toContain('unknown data set: geode')
  })

  it('has JSON with all values, and no results where there are none', async () => {
    const { tables } = JSON.parse((await progress('--json')).stdout) as {
      tables: { name: string; notes: string[]; rows: Record<string, number | null>[] }[]
    }
    expect(tables[0]!.name).toBe('progress')
    expect(tables[0]!.notes[0]).toMatch(/^A point on ImageNet/)
    expect(tables[0]!.rows[0]!['ratio_low']).toBeGreaterThan(1)
    const { code, stderr } = await geogap(['progress', join(folder, 'nothing')])
    expect(code).toBe(2)
    expect(stderr).toMatch(/nothing/)
  })

  it('draws no figure without geographic accuracies', async () => {
    const { code, stderr } = await geogap([
      'progress',
      'published',
      '--models',
      'resnet50.a1_in1k,vgg16.tv_in1k',
      '-o',
      join(folder, 'x.svg'),
    ])
    expect(code).toBe(2)
    expect(stderr).toContain('no figure')
  })
})
