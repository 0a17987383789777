import { createRequire } from 'node:module'

/** What models can run on, in ONNX Runtime's words. */
export const devices = ['cpu', 'cuda', 'coreml'] as const
export type Device = (typeof devices)[number]

/** What models compute in. */
export const precisions = ['fp32', 'fp16'] as const
export type Precision = (typeof precisions)[number]

/** How models are run; both are part of every result's key. */
export interface Engine {
  /** The CPU by default. */
  device?: Device
  /** `fp32` by default; `fp16` rounds weights and activations, which a GPU computes faster. */
  precision?: Precision
}

/** What of it is not the CPU in fp32. */
export const nonDefaultEngine = ({ device = 'cpu', precision = 'fp32' }: Engine): Engine => ({
  ...(device !== 'cpu' && { device }),
  ...(precision !== 'fp32' && { precision }),
})

/** The installed version of ONNX Runtime, and device and precision where they are not CPU and fp32: part of every result's key. */
export function runtimeVersion(engine: Engine = {}): string {
  const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json') as {
    version: string
  }
  const { device, precision } = nonDefaultEngine(engine)
  return [`onnxruntime ${version}`, device, precision].filter(word => word !== undefined).join(' ')
}
