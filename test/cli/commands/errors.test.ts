import { spawnSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cli, geogap } from '../../helpers/cli.ts'
import { writeModel, writeWorld } from '../../helpers/world.ts'

let folder: string
let manifest: string
let weights: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-errors-'))
  manifest = await writeWorld(folder, 6)
  const { weights: source } = await writeModel(folder)
  weights = source.from === 'files' ? source.files[0]! : ''
  await chmod(folder, 0o755)
})

afterAll(() => rm(folder, { recursive: true, force: true }))

/** Writes a manifest and gives its path. */
async function table(name: string, lines: readonly string[]): Promise<string> {
  const file = join(folder, name)
  await writeFile(file, `${lines.join('\n')}\n`)
  return file
}

const evaluate = (dataset: string, ...more: string[]) =>
  geogap([
    'evaluate',
    '--model',
    'mobilenetv3_small_050',
    '--weights',
    weights,
    '--dataset',
    dataset,
    '--out',
    join(folder, 'out'),
    ...more,
  ])

async function refused(run: ReturnType<typeof geogap>, message: RegExp): Promise<void> {
  const { code, stderr } = await run
  expect(stderr.trim().split('\n')).toHaveLength(1)
  expect(stderr).toMatch(message)
  expect(stderr).not.toMatch(/\bat .*:\d+:\d+/)
  expect(code).toBe(2)
}

describe('errors of the command line: one line, the value, what exists, exit code 2', () => {
  it('unknown command', () =>
    refused(geogap(['evalute']), /unknown command: evalute; nearest: evaluate/))
  it('unknown option', () =>
    refused(geogap(['table', '.', '--bye', 'x']), /unknown option '--bye'; nearest: --by/))
  it('an option and a command that resemble none', async () => {
    await refused(geogap(['table', '.', '--dataset', 'x']), /'--dataset'; see geogap table --help/)
    await refused(geogap(['nosuch']), /unknown command: nosuch; geogap --help lists all/)
  })
  it('a command that needs one more, and arguments that it does not take', async () => {
    await refused(geogap(['queue']), /queue takes a command: list, pause, resume, cancel; see/)
    await refused(geogap(['compare', 'a', 'b', 'c']), /got 3: geogap compare <first> \[second\];/)
  })
  it('an argument that an option took', () =>
    refused(
      geogap(['table', '--by', 'region', 'results']),
      /missing required argument 'dir' \(--by takes every word that follows: put arguments before it\); see geogap table/,
    ))
  it('a port that there cannot be', () =>
    refused(
      geogap(['serve', '.', '--port', '70000']),
      /--port takes a whole number from 0 to 65535, not 70000/,
    ))
  it.each([
    ['import', 'x.csv'],
    ['rescore', 'x'],
    ['neighbours'],
    ['retrain'],
    ['finetune'],
    ['demo'],
  ])('a store for what %s writes', (...words) =>
    refused(
      geogap([...words, '--out', 's3://bucket/x']),
      /--out takes a folder, not a store: s3:\/\/bucket\/x/,
    ),
  )
  it('two files of one name to import', () =>
    refused(
      geogap(['import', 'a/x.csv', 'b/x.csv', '--out', 'o']),
      /two files are called x\.csv, and one would replace/,
    ))
  it('pictures without a bundle', () =>
    refused(geogap(['report', '.', '--images']), /--images is of the bundle/))
  it('a format that a sheet does not have', () =>
    refused(
      geogap(['datasets', 'show', 'geode', '--format', 'csv']),
      /datasets show writes text or json, not csv/,
    ))
  it('bad number', () =>
    refused(evaluate(manifest, '--limit', 'ten'), /--limit takes a whole number from 1, not ten/))
  it('unknown model', () =>
    refused(
      geogap(['evaluate', '--model', 'resnet51', '--dataset', manifest, '--out', folder]),
      /unknown model: resnet51; nearest: resnet50/,
    ))
  it('unknown data set', () => refused(evaluate('geodo'), /unknown dataset: geodo; nearest: geode/))
  it('missing manifest', () =>
    refused(evaluate(join(folder, 'absent.csv')), /missing file: .*absent\.csv/))
  it('missing manifest whose name is close to another', () =>
    refused(evaluate(manifest.replace(/.csv$/, 's.csv')), /missing file: .*; nearest: .*\.csv/))
  it('two letters swapped', () =>
    refused(geogap(['tabel', 'x']), /unknown command: tabel; nearest: table/))
  it('missing table', () =>
    refused(
      geogap(['import', join(folder, 'absent.csv'), '--out', folder]),
      /: missing file: .*absent\.csv \[missing-file\]\n$/,
    ))
  it('missing weights', async () => {
    const file = await table('numbers.csv', ['id,image,label', 'a,images/0.png,3'])
    await refused(
      evaluate(file, '--weights', '/absent.safetensors'),
      /no such weights file: "\/absent\.safetensors"/,
    )
  })
  it('unknown column', async () => {
    await refused(evaluate(manifest, '--map', 'label=sku'), /sku.*label/)
  })
  it('a manifest without labels', async () => {
    await refused(evaluate(await table('bare.csv', ['id,image', 'a,images/0.png'])), /label/)
  })
  it('a duplicate id', async () => {
    const file = await table('twice.csv', [
      'id,image,label',
      'a,images/0.png,3',
      'a,images/1.png,4',
    ])
    await refused(evaluate(file), /duplicate id in twice: a/)
  })
  it('an unknown wnid', async () => {
    const file = await table('wnid.csv', ['id,image,label', 'a,images/0.png,n99999999'])
    await refused(evaluate(file), /n99999999/)
  })
  it('results that are not there', () =>
    refused(geogap(['table', join(folder, 'nowhere')]), /no results in .*nowhere/))
  it('a column that results do not have', async () => {
    const classes = join(folder, 'classes.txt')
    await refused(
      evaluate(manifest, '--classes', classes),
      /mobilenetv3_small_050.* has ImageNet's 1000 classes, world is labelled with 3 classes of its own/,
    )
  })

  it('a table with classes of its own is checked as it is evaluated', async () => {
    const checked = await geogap([
      'datasets',
      'check',
      manifest,
      '--classes',
      join(folder, 'classes.txt'),
      '--json',
    ])
    expect([checked.code, JSON.parse(checked.stdout)]).toMatchObject([
      0,
      { images: 6, missing: [], unreadable: [] },
    ])
  })

  it('an unreadable folder', async () => {
    const closed = join(folder, 'closed')
    await mkdir(closed, { mode: 0 })
    const owner = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}
    const run = geogap(
      [
        'evaluate',
        '--model',
        'mobilenetv3_small_050',
        '--dataset',
        closed,
        '--out',
        join(tmpdir(), 'geogap-none'),
      ],
      owner,
    )
    await refused(run, /unreadable .*closed/)
    await rm(closed, { recursive: true })
  })

  const spaces = spawnSync('unshare', ['-rm', 'true']).status === 0
  it.skipIf(!spaces)('a full disk (left out where no mount namespace can be made)', async () => {
    const place = join(folder, 'small')
    await mkdir(place)
    const file = await table('plain.csv', [
      'id,image,label',
      ...Array.from({ length: 6 }, (_, i) => `p${i},images/${i}.png,${i}`),
    ])
    const imagenet = join(folder, 'imagenet.safetensors')
    const { initialWeights } = await import('../../../src/models/initialWeights.ts')
    const { writeSafetensors } = await import('../../../src/lib/tensors/safetensors.ts')
    await writeSafetensors(imagenet, initialWeights('mobilenetv3_small_050', 1000, 1))
    const command = [
      ...cli,
      'evaluate',
      '--quiet',
      '--model',
      'mobilenetv3_small_050',
      '--weights',
      imagenet,
    ]
    const script = `mount -t tmpfs -o size=16k tmpfs ${place} && exec ${command.join(' ')} --dataset ${file} --out ${place}`
    const { status, stderr } = spawnSync('unshare', ['-rm', 'sh', '-c', script], {
      encoding: 'utf8',
    })
    expect(stderr.trim()).toMatch(
      /^geogap: cannot write .*: no space left on the device \[disk-full\]$/,
    )
    expect(status).toBe(2)
  })
})
