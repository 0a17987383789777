import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { inputError } from '../../lib/errors.ts'
import { type Device, devices } from '../../lib/onnx/engine.ts'
import { loadOnnxRuntime } from '../../lib/onnx/runtime.ts'

/** Returns the devices whose code is installed; a driver may still be missing. */
export async function availableDevices(): Promise<Device[]> {
  const { listSupportedBackends } = await loadOnnxRuntime()
  const backends = listSupportedBackends()
  return devices.filter(device => {
    const backend = backends.find(({ name }) => name === device)
    return backend !== undefined && (backend.bundled || existsSync(providerFile(device)))
  })
}

/** Returns the path where ONNX Runtime's install script puts the code of a device that is not part of the package. */
function providerFile(device: Device): string {
  const folder = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'))
  return join(
    folder,
    'bin/napi-v6',
    process.platform,
    process.arch,
    `libonnxruntime_providers_${device}.so`,
  )
}

/** Describes how to get the device on this machine. */
export function deviceFix(device: Device): string {
  if (device === 'coreml') return 'CoreML is part of macOS'
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return 'CUDA is there for Linux on x64'
  return 'ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node (with an NVIDIA driver, CUDA 12 and cuDNN 9)'
}

/** Checks that a device is installed, since nothing falls back to another. @throws GeogapError `no-device` */
export async function checkDevice(device: Device): Promise<void> {
  const here = await availableDevices()
  if (!here.includes(device))
    throw inputError(
      'no-device',
      `no device ${device} here; there are ${here.join(', ')}; ${deviceFix(device)}`,
    )
}
