/** Declares the part of Node's WebAssembly that this package uses; only the browser's library has types of it. */
declare namespace WebAssembly {
  interface Memory {
    readonly buffer: ArrayBuffer
    grow(pages: number): number
  }
  function instantiate(bytes: Uint8Array): Promise<{ instance: { exports: object } }>
  class RuntimeError extends Error {}
}
