import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'

const chunkBytes = 4 << 20

/** SHA-256 or MD5 of a file, or the name git gives to its content (SHA-1 over its length and bytes), as hex digits. */
export async function hashFile(file: string, kind: 'sha256' | 'md5' | 'git-sha1'): Promise<string> {
  const handle = await open(file, 'r')
  try {
    const hash = createHash(kind === 'git-sha1' ? 'sha1' : kind)
    if (kind === 'git-sha1') hash.update(`blob ${(await handle.stat()).size}\0`)
    const bytes = new Uint8Array(chunkBytes)
    for (let length = chunkBytes; length > 0;) {
      length = (await handle.read(bytes, 0, chunkBytes, null)).bytesRead
      hash.update(bytes.subarray(0, length))
    }
    return hash.digest('hex')
  } finally {
    await handle.close()
  }
}
