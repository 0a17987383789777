/* What runs here, and the exact fix for what does not. Every check catches its own failure. */
import { randomBytes } from 'node:crypto'
import { access, constants, mkdir, rm, statfs, writeFile } from 'node:fs/promises'
import { freemem, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { availableCores, readNumaNodes } from '../lib/cores.ts'
import { firstLine } from '../lib/errors.ts'
import { availableDevices, deviceFix } from '../models/runtime/installedDevices.ts'
import { type Device } from '../lib/onnx/engine.ts'
import { devices } from '../lib/onnx/engine.ts'
import { type Environment, geogapCache, hubSettings } from '../lib/hub/hubCache.ts'
import { runtimeVersion } from '../lib/onnx/engine.ts'
import { loadOnnxRuntime } from '../lib/onnx/runtime.ts'

export interface EnvironmentCheck {
  name: string
  /** `missing` stops geogap from working; `note` disables a part of it or makes it slow. */
  status: 'ok' | 'note' | 'missing'
  found: string
  /** Suggested action, if any. */
  fix?: string
}

/** All checks, in the order in which they are shown. */
export async function diagnose(env: Environment = process.env): Promise<EnvironmentCheck[]> {
  const found = await Promise.all([
    checkWork(
      'inference',
      runTestGraph,
      'ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node',
    ),
    ...devices.filter(device => device !== 'cpu').map(checkDeviceInstalled),
    checkWork('images', decodeTestImage, 'npm install --include=optional sharp'),
    checkWork('database', runTestQuery, 'npm install --include=optional @duckdb/node-api'),
    checkWork('fonts', measureTestText, 'npm install dejavu-fonts-ttf @resvg/resvg-js'),
    checkHub(env),
    checkFolder('hub cache', () => hubSettings(env).cache, 'HF_HUB_CACHE'),
    checkFolder('own cache', () => geogapCache(env), 'GEOGAP_CACHE'),
  ])
  return [checkNode(process.versions.node), checkMachine(), ...found]
}

const minNodeVersion = 20

export function checkNode(version: string): EnvironmentCheck {
  const check = { name: 'node', found: `Node ${version}` }
  if (Number.parseInt(version) >= minNodeVersion) return { ...check, status: 'ok' }
  return {
    ...check,
    status: 'missing',
    fix: `install Node ${minNodeVersion} or later: https://nodejs.org`,
  }
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`
const minMemoryBytes = 4e9

function checkMachine(): EnvironmentCheck {
  const memory = Math.min(totalmem(), process.constrainedMemory() || Infinity)
  const nodes = readNumaNodes().length
  const cores = `${availableCores()} cores${nodes > 1 ? ` on ${nodes} memory nodes` : ''}`
  const found = `${cores}, ${gigabytes(memory)} of memory, ${gigabytes(freemem())} free`
  if (memory >= minMemoryBytes) return { name: 'machine', status: 'ok', found }
  const fix = "choose small models (geogap models --where 'parameters<3e7')"
  return { name: 'machine', status: 'note', found, fix }
}

async function checkWork(
  name: string,
  work: () => Promise<string>,
  fix: string,
): Promise<EnvironmentCheck> {
  try {
    return { name, status: 'ok', found: await work() }
  } catch (error) {
    return { name, status: 'missing', found: firstLine(error), fix }
  }
}

async function runTestGraph(): Promise<string> {
  const { createSession } = await import('../models/runtime/session.ts')
  const { createGraph, addInput, addOutput } = await import('../lib/onnx/graph.ts')
  const { encodeModel } = await import('../lib/onnx/encode.ts')
  const { add } = await import('../lib/onnx/ops.ts')
  const { Tensor } = await loadOnnxRuntime()
  const graph = createGraph()
  addOutput('sum', add(addInput(graph, 'x', { shape: [1] }), 1))
  const bytes = encodeModel(graph, { bind: () => ({ dtype: 'float32', values: new Uint8Array() }) })
  const session = await createSession(bytes, { threads: 1 })
  const { sum } = await session.run({ x: new Tensor('float32', [1], [1]) })
  await session.release()
  if (sum!.data[0] !== 2) throw new Error('a sum came out wrong')
  return `${runtimeVersion()} on cpu`
}

async function checkDeviceInstalled(device: Device): Promise<EnvironmentCheck> {
  const here = await availableDevices().catch((): Device[] => [])
  if (here.includes(device))
    return { name: device, status: 'ok', found: `installed: --device ${device}` }
  return {
    name: device,
    status: 'note',
    found: 'not installed; models run on cpu',
    fix: deviceFix(device),
  }
}

/** A PNG of one white pixel. */
const whitePixelPng =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mP4DwABAQEAHLCMmQAAAABJRU5ErkJggg=='

async function decodeTestImage(): Promise<string> {
  const { decodeImage } = await import('../lib/pixels/decode.ts')
  const { data } = await decodeImage(Buffer.from(whitePixelPng, 'base64'))
  if (data[0] !== 255) throw new Error('a white pixel came out another')
  const { default: sharp } = await import('sharp')
  return `libvips ${sharp.versions.vips} in sharp`
}

async function runTestQuery(): Promise<string> {
  const { query } = await import('../lib/sql.ts')
  const [row] = await query<{ version: string }>('SELECT version() AS version')
  return `DuckDB ${row!.version}`
}

async function measureTestText(): Promise<string> {
  const { hasAllGlyphs, fontFamily, textWidthPx } = await import('../report/figures/measure.ts')
  if (!hasAllGlyphs('Côte d’Ivoire') || textWidthPx('geogap', 10) <= 0)
    throw new Error(`${fontFamily} lacks characters`)
  await import('@resvg/resvg-js')
  return `${fontFamily}, shipped with geogap`
}

const hubTimeoutMs = 5000

async function checkHub(env: Environment): Promise<EnvironmentCheck> {
  const name = 'model hub'
  try {
    const { endpoint, offline, token } = hubSettings(env)
    if (offline)
      return {
        name,
        status: 'note',
        found: 'HF_HUB_OFFLINE is set: cached models only',
        fix: 'unset HF_HUB_OFFLINE',
      }
    const { status } = await fetch(endpoint, {
      method: 'HEAD',
      signal: AbortSignal.timeout(hubTimeoutMs),
    })
    const found = `${endpoint} answers ${status}, ${token ? `token in ${token.source}` : 'no token'}`
    if (status < 500) return { name, status: 'ok', found }
    return { name, status: 'note', found, fix: 'try again later, or set HF_ENDPOINT to a mirror' }
  } catch (error) {
    const reason = error instanceof Error && error.cause instanceof Error ? error.cause : error
    const fix = 'check the network, set HF_ENDPOINT to a mirror, or give files with --weights FILE'
    return { name, status: 'note', found: `not reached: ${firstLine(reason)}`, fix }
  }
}

const minDiskBytes = 5e9

async function checkFolder(
  name: string,
  folderOf: () => string,
  variable: string,
): Promise<EnvironmentCheck> {
  try {
    const folder = folderOf()
    const existing = await nearestFolder(folder)
    await requireWritable(existing)
    const { bavail, bsize } = await statfs(existing)
    const found = `${folder}, ${gigabytes(bavail * bsize)} free`
    if (bavail * bsize >= minDiskBytes) return { name, status: 'ok', found }
    return {
      name,
      status: 'note',
      found,
      fix: `free some disk, or set ${variable} to a folder elsewhere`,
    }
  } catch (error) {
    return {
      name,
      status: 'missing',
      found: firstLine(error),
      fix: `set ${variable} to a folder that can be written`,
    }
  }
}

/** Returns the folder, or its nearest parent that exists. */
async function nearestFolder(folder: string): Promise<string> {
  const isThere = await access(folder, constants.F_OK).then(
    () => true,
    () => false,
  )
  return isThere || dirname(folder) === folder ? folder : nearestFolder(dirname(folder))
}

/** Writes a file, because permissions do not reveal a read-only file system. */
async function requireWritable(folder: string): Promise<void> {
  const probe = join(folder, `.geogap-${randomBytes(4).toString('hex')}`)
  await mkdir(probe)
  try {
    await writeFile(join(probe, 'probe'), 'geogap')
  } finally {
    await rm(probe, { recursive: true, force: true })
  }
}
