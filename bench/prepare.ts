/*
 * CPU time of preparing a photograph from its bytes: ours against Pillow and torchvision on one thread, in turn, and its parts; and
 * ours of the photographs written again as progressive JPEG and as PNG.
 *
 *   npx tsx bench/prepare.ts PYTHON [folder of photographs]
 */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { createCropper } from '../src/lib/pixels/crop.ts'
import { decodeImage } from '../src/lib/pixels/decode.ts'
import {
  centerCrop,
  imagenetMean,
  imagenetStd,
  normalize,
  paperSteps,
  resize,
} from '../src/lib/pixels/steps.ts'
import { inChild, inTurn, photographs, printedBy, printTable } from './common.ts'

const self = fileURLToPath(import.meta.url)
const passes = 3

const inPython = `
import io, sys, time, torch
from PIL import Image
from torchvision import transforms as T
torch.set_num_threads(1)
files = [open(path, "rb").read() for path in sys.argv[2:]]
crop = [T.Resize(256), T.CenterCrop(224)]
tensor = [T.ToTensor(), T.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
steps = {"decode": [], "crop": crop, "tensor": crop + tensor}[sys.argv[1]]
make = T.Compose(steps)
def run():
    for data in files: make(Image.open(io.BytesIO(data)).convert("RGB"))
run()
start = time.process_time()
for _ in range(${passes}): run()
print((time.process_time() - start) * 1e3 / ${passes} / len(files))
`

type Way = (bytes: Uint8Array) => Promise<unknown>

/** Encodes photographs again. */
const encoders: Readonly<Record<string, (bytes: Uint8Array) => Promise<Uint8Array>>> = {
  progressive: bytes => sharp(bytes).jpeg({ quality: 92, progressive: true }).toBuffer(),
  png: bytes => sharp(bytes).png().toBuffer(),
}

const ways: Readonly<Record<string, () => Promise<Way>>> = {
  crop: () => createCropper(paperSteps),
  clip: () =>
    createCropper([resize(224, 'bicubic'), centerCrop(224), normalize(imagenetMean, imagenetStd)]),
  progressive: () => createCropper(paperSteps),
  png: () => createCropper(paperSteps),
  libvips: () => Promise.resolve(decodeImage),
}

async function measure(way: string, files: readonly string[]): Promise<void> {
  const make = await ways[way]!()
  const encode = encoders[way] ?? (bytes => Promise.resolve(bytes))
  const images = await Promise.all(files.map(async file => encode(await readFile(file))))
  const run = async (): Promise<void> => {
    for (const image of images) await make(image)
  }
  await run()
  const before = process.cpuUsage()
  for (let pass = 0; pass < passes; pass++) await run()
  const { user, system } = process.cpuUsage(before)
  process.stdout.write(`${(user + system) / 1e3 / passes / images.length}\n`)
}

async function compare(python: string, folder?: string): Promise<void> {
  const files = (await photographs(folder)).filter((_, i) => i % 2 === 0)
  const ours = (way: string) => () => inChild(self, [way, ...files])
  const theirs = (way: string) => () => printedBy(python, ['-c', inPython, way, ...files])
  const times = await inTurn(5, {
    crop: ours('crop'),
    tensor: theirs('tensor'),
    pillowCrop: theirs('crop'),
    pillowDecode: theirs('decode'),
    clip: ours('clip'),
    progressive: ours('progressive'),
    png: ours('png'),
    libvips: ours('libvips'),
  })
  const row = (what: string, time: number): string[] => [
    what,
    time.toFixed(2),
    (time / times.tensor).toFixed(2),
  ]
  await printTable(
    ['CPU time of preparing a photograph', 'ms', 'ratio'],
    [
      row('Pillow + torchvision, to a normalized tensor', times.tensor),
      row('Pillow + torchvision, to a crop', times.pillowCrop),
      row('Pillow, decoding alone', times.pillowDecode),
      row('geogap, resize 256 bilinear, crop 224', times.crop),
      row('geogap, resize 224 bicubic, crop 224', times.clip),
      row('geogap, the photographs as progressive JPEG', times.progressive),
      row('geogap, the photographs as PNG', times.png),
      row('libvips, decoding alone', times.libvips),
    ],
  )
}

const [first = 'python3', ...rest] = process.argv.slice(2)
if (first === 'child') await measure(rest[0]!, rest.slice(1))
else await compare(first, rest[0])
