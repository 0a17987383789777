/*
 * Memory of an evaluation by the built program: the sum over all its processes (pages that they share count once), at its peak beside twice
 * the resident weights and 1 GB, and the medians of the second and the last fifth of the time, which a long run keeps equal.
 *
 *   npm run build && npx tsx bench/memory.ts [MODEL…] [--images 2000]
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import {
  freshModel,
  inTemporaryFolder,
  median,
  photographs,
  printTable,
  writeManifest,
} from './common.ts'

const program = fileURLToPath(new URL('../dist/cli/bin/geogap.js', import.meta.url))
const usual = ['lcnet_050', 'resnet50', 'convnext_small', 'vit_base_patch16_224']
const { values, positionals } = parseArgs({
  options: { images: { type: 'string', default: '2000' } },
  allowPositionals: true,
})

/** What is gone while it is looked at counts as nothing. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/** Megabytes of the process, its children's included, and how many children there are. */
function use(pid: number): { megabytes: number; children: number } {
  const children = textOf(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean)
  const sizes = [pid, ...children].map(one =>
    Number(/^Pss:\s+(\d+)/m.exec(textOf(`/proc/${one}/smaps_rollup`))?.[1] ?? 0),
  )
  return { megabytes: sizes.reduce((sum, size) => sum + size, 0) / 1024, children: children.length }
}

async function measure(name: string, folder: string): Promise<string[]> {
  const { weights } = await freshModel(name, folder)
  const file = weights.from === 'files' ? weights.files[0]! : ''
  const args = [
    '--dataset',
    join(folder, 'photographs.csv'),
    '--labels',
    'imagenet',
    '--out',
    join(folder, name),
    '--quiet',
  ]
  const child = spawn(
    process.execPath,
    [program, 'evaluate', '--model', `${name}@${file}`, ...args],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  )
  const samples: ReturnType<typeof use>[] = []
  while (child.exitCode === null) {
    samples.push(use(child.pid!))
    await wait(250)
  }
  const sizes = samples.map(({ megabytes }) => megabytes)
  const fifth = (which: number): number =>
    median(
      sizes.slice(
        Math.floor((which * sizes.length) / 5),
        Math.ceil(((which + 1) * sizes.length) / 5),
      ),
    )
  const resident =
    (Math.max(...samples.map(({ children }) => children)) * (await stat(file)).size) / 2 ** 20
  const shown = [resident, Math.max(...sizes), 2 * resident + 1024, fifth(1), fifth(4)].map(size =>
    size.toFixed(0),
  )
  return [name, ...shown]
}

await inTemporaryFolder(async folder => {
  await writeManifest(join(folder, 'photographs.csv'), await photographs(), Number(values.images))
  const rows: string[][] = []
  for (const name of positionals.length > 0 ? positionals : usual)
    rows.push(await measure(name, folder))
  await printTable(
    ['model', 'resident weights, MB', 'peak', 'bound', 'second fifth', 'last fifth'],
    rows,
  )
})
