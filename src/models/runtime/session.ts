import { type InferenceSession } from 'onnxruntime-node'
import { type Engine } from '../../lib/onnx/engine.ts'
import { loadOnnxRuntime } from '../../lib/onnx/runtime.ts'

export interface SessionOptions extends Pick<Engine, 'device'> {
  /** Real path of the folder that external data is read from. */
  folder?: string
  threads?: number
  /** Lets idle threads keep a core busy; off if several processes share the cores. */
  spinning?: boolean
  /** Plans one block of memory for a batch's shape. Off for training, which then takes a third less memory. */
  memoryPattern?: boolean
}

/** Loads an encoded graph, or the file of one, into ONNX Runtime. */
export async function createSession(
  model: Uint8Array | string,
  options: SessionOptions = {},
): Promise<InferenceSession> {
  const ort = await loadOnnxRuntime()
  const { folder, threads = 0, spinning = true, memoryPattern = true, device = 'cpu' } = options
  const intraOp = { allow_spinning: spinning ? '1' : '0' }
  const settings: InferenceSession.SessionOptions = {
    executionProviders: [device],
    graphOptimizationLevel: 'all',
    enableMemPattern: memoryPattern,
    intraOpNumThreads: threads,
    logSeverityLevel: 3,
    extra: {
      // Pad_Fusion merges zero padding into the max pooling after it, which then ignores the zeros (ONNX Runtime 1.30).
      optimization: { disable_specified_optimizers: 'Pad_Fusion' },
      session:
        folder === undefined
          ? { intra_op: intraOp }
          : { intra_op: intraOp, model_external_initializers_file_folder_path: folder },
    },
  }
  return ort.InferenceSession.create(model as string, settings) // its overloads take no union
}

export type OutputName = 'logits' | 'features'

/** A model loaded in ONNX Runtime. */
export interface ModelSession {
  /** crops uint8 [n, 3, size, size] -> the wanted outputs, float32 with n rows each */
  run: (crops: Uint8Array, n: number) => Promise<Partial<Record<OutputName, Float32Array>>>
  release: () => Promise<void>
}
