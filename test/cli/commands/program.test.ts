import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Command } from 'commander'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { callsIn, parseOnly } from '../../../scripts/commandLines.ts'
import { completionsOf } from '../../../src/cli/commands/completion.ts'
import { withConfig } from '../../../src/cli/commands/config.ts'
import { commands, helpText } from '../../../src/cli/commands/index.ts'
import { buildProgram } from '../../../src/cli/commands/program.ts'

let root: Command
let folder: string
beforeAll(async () => {
  root = await buildProgram(commands)
  folder = await mkdtemp(join(tmpdir(), 'geogap-config-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const leaves = (command: Command): Command[] => [command, ...command.commands.flatMap(leaves)]

function helpOf(command: Command): string {
  let text = ''
  command.configureOutput({ writeOut: part => (text += part) })
  command.outputHelp()
  return text
}

it('every command stands once in the overview, and its help has examples that its own options take', async () => {
  const text = await helpText()
  for (const { name } of commands)
    expect(text.match(new RegExp(`^  ${name} `, 'gm'))).toHaveLength(1)
  for (const line of text.match(/^  .*$/gm)!) expect(line.length, line).toBeLessThanOrEqual(60)
  for (const command of root.commands.flatMap(leaves)) {
    const [, ...examples] = helpOf(command).split(/\nExamples?:\n/)
    const lines = examples.join('\n').match(/^ +geogap .*/gm) ?? []
    expect(lines, `${command.name()} has no example`).not.toHaveLength(0)
    for (const line of lines) for (const words of callsIn(line)) await parseOnly(root, words)
  }
})

describe('a config file', () => {
  const write = (name: string, text: string): Promise<void> => writeFile(join(folder, name), text)
  const merged = (...words: string[]): Promise<string[]> => withConfig(root, words, folder)

  it.each([
    ['geogap.config.yaml', 'table:\n  min-n: 50\n  by: [region, country]\n  disparity: true\n'],
    [
      'geogap.config.json',
      '{ "table": { "minN": 50, "by": ["region", "country"], "disparity": true } }',
    ],
    [
      'geogap.config.ts',
      'export default { table: { minN: 50 as number, by: ["region", "country"], disparity: true } }',
    ],
  ])('%s fills options in; the command line comes first', async (name, text) => {
    await write(name, text)
    try {
      const filled = ['--by', 'region', 'country', '--disparity']
      const named = name.endsWith('.ts') ? ['--config', join(folder, name)] : []
      const words = ['table', 'results', ...named]
      expect(await merged(...words)).toEqual([...words, '--min-n', '50', ...filled])
      expect(await merged(...words, '--min-n=9')).toEqual([...words, '--min-n=9', ...filled])
      expect(await merged('gate', 'results', ...named)).toEqual(['gate', 'results', ...named])
    } finally {
      await rm(join(folder, name))
    }
  })

  describe('that is found, not named,', () => {
    const withFile = async <T>(name: string, text: string, work: () => Promise<T>): Promise<T> => {
      await write(name, text)
      try {
        return await work()
      } finally {
        await rm(join(folder, name))
      }
    }
    const flag = '__geogapConfigRan'

    it.each(['ts', 'js', 'mjs', 'cjs', 'mts', 'cts'])(
      'is not run where it is code: .%s',
      async ending => {
        const name = `geogap.config.${ending}`
        const code = `globalThis.${flag} = true; export default { table: { minN: 50 } }`
        await withFile(name, code, async () => {
          await expect(merged('table', 'results')).rejects.toMatchObject({
            code: 'untrusted-config',
            message: expect.stringContaining(`pass --config ${name}`) as string,
          })
          await withFile('geogap.config.json', '{}', () =>
            expect(merged('table', 'results')).rejects.toThrow('is a program'),
          )
        })
        expect(flag in globalThis).toBe(false)
      },
    )

    it.each([
      ['table', '{ "table": { "plugin": "./x.mjs" } }'],
      ['evaluate', '{ "evaluate": { "queue": "redis://elsewhere" } }'],
      ['work', '{ "work": { "queue": "redis://elsewhere" } }'],
      ['serve', '{ "serve": { "host": "0.0.0.0" } }'],
      ['evaluate', '{ "evaluate": { "out": "s3://elsewhere/results" } }'],
      ['evaluate', '{ "evaluate": { "out": "/tmp/results" } }'],
      ['table', '{ "table": { "output": "../../.profile" } }'],
      ['table', '{ "table": { "output": "outside/.profile" } }'],
      ['gate', '{ "gate": { "junit": "/etc/motd" } }'],
      ['compare', '{ "compare": { "flips": "../x.csv" } }'],
      ['fetch', '{ "fetch": { "data": "/tmp/data" } }'],
    ])('is data of a stranger: %s %s is refused', async (command, text) => {
      await symlink(tmpdir(), join(folder, 'outside'))
      try {
        await withFile('geogap.config.json', text, async () => {
          await expect(merged(command, 'results')).rejects.toMatchObject({
            code: 'untrusted-config',
          })
          const named = [command, 'results', '--config', join(folder, 'geogap.config.json')]
          expect((await merged(...named)).length).toBe(named.length + 2)
        })
      } finally {
        await rm(join(folder, 'outside'))
      }
    })

    it('may name places below its folder, and what the command line gives is not its matter', async () => {
      const text = '{ "table": { "output": "out/a.csv", "plugin": "./x.mjs" } }'
      await withFile('geogap.config.json', text, async () => {
        const words = ['table', 'results', '--plugin', 'mine.mjs']
        expect(await merged(...words)).toEqual([...words, '--output', 'out/a.csv'])
      })
    })
  })

  it('fills in what an option may do without, and nothing that the command line says in another way', async () => {
    await write(
      'cfg.yaml',
      'evaluate: { queue: redis://q, tag: [a=1, b=2] }\ntable: { output: b.csv, format: csv }\n',
    )
    const config = ['--config', join(folder, 'cfg.yaml')]
    const [evaluate, table] = [
      ['evaluate', ...config],
      ['table', 'results', '-oa.csv', '--json', ...config],
    ]
    expect(await merged(...evaluate)).toEqual([
      ...evaluate,
      '--queue',
      'redis://q',
      '--tag',
      'a=1,b=2',
    ])
    expect(await merged(...table)).toEqual(table)
  })

  it.each([
    ['{ "table": { "minm": 50 } }', /unknown option of table in .*: minm; nearest: minN/],
    [
      '{ "table": { "minN": true } }',
      /table\.minN in .*cfg\.json is true; --min-n <n> is what the command takes/,
    ],
    ['{ "table": 3 }', /expected an object of options for each command/],
    ['{', /cannot read .*cfg\.json/],
  ])('%s is refused', async (text, message) => {
    await write('cfg.json', text)
    await expect(merged('table', 'results', '--config', join(folder, 'cfg.json'))).rejects.toThrow(
      message,
    )
  })
})

describe('completion', () => {
  it.each([
    [['eva'], ['evaluate']],
    [['table', '--min'], ['--min-n']],
    [
      ['evaluate', '--preprocessing', ''],
      ['native', 'paper'],
    ],
    [['evaluate', '--dataset', 'geo'], ['geode']],
    [['models', 'desc'], ['describe']],
    [['datasets', 'ch'], ['check']],
    [['datasets', 'geo'], []],
    [['datasets', 'show', 'geo'], ['geode']],
    [['power', 'geo'], ['geode']],
    [['experiment', 'retr'], ['retraining']],
    [['report', ''], []],
  ])('of %j is %j', async (words, expected) =>
    expect(await completionsOf(commands, words)).toEqual(expected),
  )
})
