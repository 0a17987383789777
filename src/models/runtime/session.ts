import { type InferenceSession } from 'onnxruntime-node'
import { type Engine } from '../../lib/onnx/engine.ts'

export interface SessionOptions extends Pick<Engine, 'device'> {
  /** Real path of the folder that external data is read from. */
  folder?: string
  threads?: number
  /** Idle threads keep a core busy; off where several processes share the cores. */
  spinning?: boolean
  /** Plan one block of memory for a batch's shape. Off where intermediates are many: training takes a third less then. */
  memoryPattern?: boolean
}

/**
 * Loads an encoded graph, or the file of one, into ONNX Runtime, which is told first to report nothing: by default it keeps a
 * device identifier in the user's cache and sends events about sessions to its maker.
 */
export async function createSession(
  model: Uint8Array | string,
  options: SessionOptions = {},
): Promise<InferenceSession> {
  process.env.ORT_DISABLE_TELEMETRY ??= '1'
  const ort = await import('onnxruntime-node')
  const { folder, threads = 0, spinning = true, memoryPattern = true, device = 'cpu' } = options
  const settings: InferenceSession.SessionOptions = {
    executionProviders: [device],
    graphOptimizationLevel: 'all',
    enableMemPattern: memoryPattern,
    intraOpNumThreads: threads,
    logSeverityLevel: 3,
    extra: {
      session: {
        intra_op: { allow_spinning: spinning ? '1' : '0' },
        ...(folder === undefined ? {} : { model_external_initializers_file_folder_path: folder }),
      },
    },
  }
  if (typeof model === 'string') return ort.InferenceSession.create(model, settings)
  return ort.InferenceSession.create(model, settings)
}

export type OutputName = 'logits' | 'features'

/** A model loaded in ONNX Runtime: takes crops, returns logits or features. */
export interface ModelSession {
  /** crops uint8 [n, 3, size, size] -> the wanted outputs that the model has, float32, n rows each */
  run: (crops: Uint8Array, n: number) => Promise<Partial<Record<OutputName, Float32Array>>>
  release: () => Promise<void>
}
