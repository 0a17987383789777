import { createRequire } from 'node:module'

/** Execution providers of ONNX Runtime that models can run on. */
export const devices = ['cpu', 'cuda', 'coreml'] as const
export type Device = (typeof devices)[number]

/** Number formats that models can compute in. */
export const precisions = ['fp32', 'fp16'] as const
export type Precision = (typeof precisions)[number]

/** Device and precision that a model runs with; both are part of every result's key. */
export interface Engine {
  /** The CPU by default. */
  device?: Device
  /** `fp32` by default; `fp16` rounds weights and activations, which a GPU computes faster. */
  precision?: Precision
}

/** Returns the settings that differ from the default engine (CPU, fp32). */
export function nonDefaultEngine({ device = 'cpu', precision = 'fp32' }: Engine): Engine {
  const engine: Engine = {}
  if (device !== 'cpu') engine.device = device
  if (precision !== 'fp32') engine.precision = precision
  return engine
}

/** Returns the installed version of ONNX Runtime, with the settings of a non-default engine: part of every result's key. */
export function runtimeVersion(engine: Engine = {}): string {
  const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json') as {
    version: string
  }
  const { device, precision } = nonDefaultEngine(engine)
  return [`onnxruntime ${version}`, device, precision].filter(word => word !== undefined).join(' ')
}
