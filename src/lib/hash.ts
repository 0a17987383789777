import { createHash } from 'node:crypto'

/** Returns the first `digits` (all 64 by default) hexadecimal digits of the SHA-256 of a text or of bytes. */
export const sha256 = (content: string | Uint8Array, digits = 64): string =>
  createHash('sha256').update(content).digest('hex').slice(0, digits)
