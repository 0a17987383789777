/** What this package uses of the WebAssembly that every Node has and whose types only browsers' libraries have. */
declare namespace WebAssembly {
  interface Memory {
    readonly buffer: ArrayBuffer
    grow(pages: number): number
  }
  function instantiate(bytes: Uint8Array): Promise<{ instance: { exports: object } }>
  class RuntimeError extends Error {}
}
