/*
 * Images a second of networks alone, on ready crops of their own size, against timm in PyTorch (peer_networks.py) with the same
 * batch: eager, compiled, and compiled with freezing, which packs the weights beforehand. All take turns. geogap runs one process
 * with all threads, and a process of one thread for each core; the planner picks one of both.
 *
 *   npx tsx bench/networks.ts PYTHON [NAME[=NAME OF TIMM]…] [--rounds 5] [--batch 4]
 */
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import {
  cores,
  freshModel,
  graphAlone,
  inChild,
  inTemporaryFolder,
  inTurn,
  printedBy,
  printTable,
} from './common.ts'

const self = fileURLToPath(import.meta.url)
const peer = fileURLToPath(new URL('peer_networks.py', import.meta.url))
const usual = [
  'swin_tiny_patch4_window7_224',
  'maxvit_tiny_tf_224',
  'efficientnet_b0',
  'tf_efficientnetv2_s',
  'convnextv2_tiny',
  'fastvit_sa12',
  'clip:ViT-B-16-SigLIP/webli=vit_base_patch16_siglip_224',
  'clip:EVA02-B-16/merged2b_s8b_b131k=eva02_base_patch16_clip_224',
]
const { values, positionals } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, batch: { type: 'string', default: '4' } },
  allowPositionals: true,
})
const { batch } = values

async function compare(python: string, pair: string): Promise<string[]> {
  const [name, timmName] = pair.includes('=') ? pair.split('=') : [pair, pair]
  let row: string[] = []
  await inTemporaryFolder(async folder => {
    await freshModel(name!, folder)
    const ours = (threads: number) => () => inChild(self, [folder, name!, batch, String(threads)])
    const timm = (mode: string) => () =>
      printedBy(python, [peer, timmName!, mode, batch, String(cores)])
    const rates = await inTurn(Number(values.rounds), {
      oneProcess: ours(cores),
      processes: async () => {
        const parts = await Promise.all(Array.from({ length: cores }, ours(1)))
        return parts.reduce((sum, rate) => sum + rate, 0)
      },
      eager: timm('eager'),
      compiled: timm('compile'),
      freezing: timm('freezing'),
    })
    const best = Math.max(rates.oneProcess, rates.processes)
    row = [
      timmName!,
      ...Object.values(rates).map(rate => rate.toFixed(2)),
      (best / Math.max(rates.eager, rates.compiled)).toFixed(2),
      (best / rates.freezing).toFixed(2),
    ]
  })
  return row
}

const [first, ...rest] = positionals
if (first === 'child')
  await graphAlone(rest[0]!, rest[1]!, { batch: Number(rest[2]), threads: Number(rest[3]) })
else {
  const rows: string[][] = []
  for (const pair of rest.length > 0 ? rest : usual) rows.push(await compare(first!, pair))
  await printTable(
    [
      'images/s',
      `geogap, ${cores} threads`,
      `${cores} processes`,
      'timm, eager',
      'compiled',
      'with freezing',
      'to eager or compiled',
      'to freezing',
    ],
    rows,
  )
}
