import { createHash } from 'node:crypto'

/** SHA-256 of a text or of bytes, as hexadecimal digits; the first of them with `digits`. */
export const sha256 = (content: string | Uint8Array, digits = 64): string =>
  createHash('sha256').update(content).digest('hex').slice(0, digits)
