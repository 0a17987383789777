import { createRequire } from 'node:module'
import type * as OnnxRuntime from 'onnxruntime-node'

const require = createRequire(import.meta.url)

/**
 * Loads ONNX Runtime by `require`. An import would parse its CommonJS files once more for the names of their exports.
 * Telemetry is turned off first: by default it keeps a device identifier in the user's cache and sends events about sessions
 * to its maker.
 */
export function loadOnnxRuntime(): Promise<typeof OnnxRuntime> {
  process.env.ORT_DISABLE_TELEMETRY ??= '1'
  return Promise.resolve(require('onnxruntime-node') as typeof OnnxRuntime)
}
