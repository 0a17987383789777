import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type Engine, unusual } from './inference/devices.ts'

const own = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

export const version = own.version

/** The installed version of ONNX Runtime, and device and precision where they are not CPU and fp32: part of every result's key. */
export function runtimeVersion(engine: Engine = {}): string {
  const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string }
  const { device, precision } = unusual(engine)
  return [`onnxruntime ${version}`, device, precision].filter(word => word !== undefined).join(' ')
}
