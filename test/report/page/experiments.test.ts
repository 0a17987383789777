import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { commands } from '../../../src/cli/commands/index.ts'
import { buildProgram } from '../../../src/cli/commands/program.ts'
import { figureKinds } from '../../../src/report/figures/index.ts'
import { paperClaims, paperTable } from '../../../src/analysis/paper/printedNumbers.ts'
import {
  readExperiment,
  experimentText,
  publishedSizesText,
  experimentResultsText,
} from '../../../src/report/page/experiments.ts'
import { recordStudy } from '../../../src/results/studies.ts'
import { geogap } from '../../helpers/cli.ts'
import { evenly, storeRun } from '../../helpers/storedRun.ts'

const folder = await mkdtemp(join(tmpdir(), 'geogap-experiment-'))
afterAll(() => rm(folder, { recursive: true, force: true }))

const root = new URL('../../../experiments/', import.meta.url)
const names = readdirSync(root).flatMap(file => /^(.+)\.json$/.exec(file)?.[1] ?? [])

describe.each(names)('experiment %s', name => {
  it("prints the paper's own values", async () => {
    const { paper, tables } = await readExperiment(name)
    const printed = tables[0] ? paperTable(tables[0]).values : []
    const claims = new Map(paperClaims().map(({ id, value }) => [id, value]))
    for (const [key, value] of Object.entries(paper)) {
      const [row, column] = key.split(' / ')
      expect(
        claims.get(key) ?? printed.find(one => one.row === row && one.column === column)!.value,
      ).toBe(value)
    }
  })

  it('has commands whose options exist, and figures', async () => {
    const { commands: lines, figures } = await readExperiment(name)
    for (const line of lines) {
      const [program, command, ...words] = line.split(' ')
      const { commands: built } = await buildProgram(commands, command)
      const known = built[0]!.options.flatMap(({ long }) => long ?? [])
      expect([
        program,
        words.filter(word => word.startsWith('--') && !known.includes(word)),
      ]).toEqual(['geogap', []])
    }
    expect(figures.filter(figure => !figureKinds.some(kind => kind.name === figure))).toEqual([])
  })
})

describe('geogap experiment', () => {
  it('lists, shows without running, and names what exists', async () => {
    const { stdout } = await geogap(['experiment'])
    expect(stdout.trimEnd().split('\n').map(line => line.split(' ')[0])).toEqual(names.sort()) // prettier-ignore
    const dry = await geogap(['experiment', 'retraining', '--dry-run', '--data', 'a b'])
    expect(dry.stdout).toContain('--seeds 3 --data a b --out geogap-results')
    expect(dry.stdout).toContain('76.84  retrained vit / dollarstreet accuracy')
    const wrong = await geogap(['experiment', 'retaining'])
    expect(wrong.stderr).toMatch(/^geogap: unknown experiment: retaining; nearest: retraining/)
  })

  it('sets stored results beside the paper', async () => {
    await storeRun([{ model: 'vgg', dataset: 'imagenet-1k', correct: evenly(100, 0.5) }], folder)
    await recordStudy(folder, { study: 'last-layer' }, [
      { setting: 1, metric: 'dollarstreet accuracy', values: [0.7, 0.72] },
    ])
    const text = await experimentResultsText(await readExperiment('retraining'), folder)
    expect(text).toMatch(/retrained vit .*dollarstreet accuracy.*71\.0.*76\.8/)
    expect(await experimentResultsText(await readExperiment('interventions'), folder)).toMatch(
      /augmix .*geode disparity.*3\.1/,
    )
  })

  it('says what published accuracies show, and that they are no disparities', async () => {
    const text = publishedSizesText(await readExperiment('scaling'))
    expect(text).toMatch(/geode-datacomp +training images +from 200 M +\d+ +\d\d\.\d/)
    expect(text).toContain('not disparities')
    expect(publishedSizesText(await readExperiment('interventions'))).toContain(
      "interventions' own authors",
    )
    expect(experimentText(await readExperiment('scaling'), [])).toContain('million parameters')
  })

  it('is shipped', () => {
    const manifest = JSON.parse(readFileSync(new URL('../package.json', root), 'utf8')) as {
      files: string[]
    }
    expect(manifest.files).toContain('experiments')
  })
})
