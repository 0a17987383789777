import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type Device } from './inference/devices.ts'

const own = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

export const version = own.version

/** The installed version of ONNX Runtime and the device where it is not the CPU, part of every result's key. */
export function runtimeVersion(device: Device = 'cpu'): string {
  const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string }
  return `onnxruntime ${version}${device === 'cpu' ? '' : ` ${device}`}`
}
