/** Memory for short-lived blocks of bytes, which costs neither zeroing nor garbage collection when it is taken again. */
export interface BufferPool {
  /** Returns a block of `bytes` bytes with arbitrary content. */
  take: (bytes: number) => Uint8Array
  /** Lets the block be taken again. Nobody may read or write it afterwards. Blocks of other origin are ignored. */
  giveBack: (block: Uint8Array) => void
}

const minBlockBytes = 1 << 16

/** Creates a pool that keeps at most `maxKeptBytes` of blocks that were given back. */
export function createBufferPool(maxKeptBytes = 1 << 26): BufferPool {
  const kept = new Map<number, ArrayBufferLike[]>()
  const taken = new WeakSet<ArrayBufferLike>()
  let keptBytes = 0
  return {
    take: bytes => {
      const size = Math.max(minBlockBytes, 2 ** Math.ceil(Math.log2(bytes)))
      const found = kept.get(size)?.pop()
      if (found) keptBytes -= size
      const buffer = found ?? Buffer.allocUnsafeSlow(size).buffer
      taken.add(buffer)
      return new Uint8Array(buffer, 0, bytes)
    },
    giveBack: ({ buffer }) => {
      const size = buffer.byteLength
      if (!taken.delete(buffer) || keptBytes + size > maxKeptBytes) return
      keptBytes += size
      const same = kept.get(size)
      if (same) same.push(buffer)
      else kept.set(size, [buffer])
    },
  }
}
