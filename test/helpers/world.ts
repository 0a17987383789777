import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { initialWeights } from '../../src/models/initialWeights.ts'
import { writeSafetensors } from '../../src/lib/tensors/safetensors.ts'
import { type ModelSpec } from '../../src/models/spec.ts'

export const classes = ['red', 'green', 'blue']

/** A manifest of small plain images in three classes and two regions; some rows may be spoiled by the caller. */
export async function writeWorld(folder: string, count: number): Promise<string> {
  await mkdir(join(folder, 'images'), { recursive: true })
  const rows = Array.from({ length: count }, (_, i) => ({
    id: `picture-${i}`,
    image: `images/${i}.png`,
    label: classes[i % 3]!,
    region: i % 2 === 0 ? 'Europe' : 'Africa',
    country: i % 4 < 2 ? 'Ubuntia' : 'Nordland',
  }))
  for (const [i, { image }] of rows.entries()) {
    const background = {
      r: i % 3 === 0 ? 220 : 20,
      g: i % 3 === 1 ? 220 : 20,
      b: i % 3 === 2 ? 220 : i % 200,
    }
    await sharp({ create: { width: 232, height: 240 + (i % 5), channels: 3, background } })
      .png()
      .toFile(join(folder, image))
  }
  const manifest = join(folder, 'world.csv')
  const lines = rows.map(row => Object.values(row).join(','))
  await writeFile(manifest, `id,image,label,region,country\n${lines.join('\n')}\n`)
  await writeFile(join(folder, 'classes.txt'), `${classes.join('\n')}\n`)
  return manifest
}

/** An untrained small model of the three classes, with its weights in `folder`. */
export async function writeModel(folder: string, seed = 1): Promise<ModelSpec> {
  await mkdir(folder, { recursive: true })
  const file = join(folder, `lcnet-${seed}.safetensors`)
  await writeSafetensors(file, initialWeights('lcnet_050', classes.length, seed))
  return {
    name: `lcnet_050.seed_${seed}`,
    architecture: 'lcnet_050',
    classes,
    recipe: {
      mean: [0.5, 0.5, 0.5],
      std: [0.25, 0.25, 0.25],
      interpolation: 'bilinear',
      cropPct: 0.95,
      size: 224,
    },
    weights: { from: 'files', files: [file] },
  }
}
