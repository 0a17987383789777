import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const own = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

export const version = own.version

/** The installed version of ONNX Runtime, part of every result's key. */
export function runtimeVersion(): string {
  const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string }
  return `onnxruntime ${version}`
}
