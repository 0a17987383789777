/*
 * The normalizer `Precompiled` of a `tokenizer.json`: SentencePiece's map of characters, a double array (Aoe 1989) over
 * UTF-8 bytes followed by its replacements, as the library tokenizers 0.22 reads and applies it.
 */

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })

/** Returns the normalization of a base64 map: each short grapheme is looked up whole, then each of its characters. */
export function charsMapNormalizer(base64: string): (text: string) => string {
  const bytes = Uint8Array.from(Buffer.from(base64, 'base64'))
  const view = new DataView(bytes.buffer)
  const size = view.getUint32(0, true)
  const unitAt = (index: number): number =>
    4 * index < size ? view.getUint32(4 + 4 * index, true) : 0
  const replacements = bytes.subarray(4 + size)
  const lookUp = (part: string): string | undefined => {
    const at = shortestPrefix(encoder.encode(part), unitAt)
    if (at === undefined) return undefined
    return decoder.decode(replacements.subarray(at, replacements.indexOf(0, at)))
  }
  const normalize = (grapheme: string): string => {
    const whole = encoder.encode(grapheme).length < 6 ? lookUp(grapheme) : undefined
    return whole ?? Array.from(grapheme, character => lookUp(character) ?? character).join('')
  }
  return text => Array.from(segmenter.segment(text), ({ segment }) => normalize(segment)).join('')
}

/** Returns the value of the shortest key that `bytes` begin with, or undefined if there is none. */
function shortestPrefix(bytes: Uint8Array, unitAt: (index: number) => number): number | undefined {
  let at = offsetOf(unitAt(0))
  for (const byte of bytes) {
    at ^= byte
    const unit = unitAt(at)
    if ((unit & 0x800000ff) !== byte) return undefined
    at ^= offsetOf(unit)
    if ((unit >>> 8) & 1) return unitAt(at) & 0x7fffffff
  }
  return undefined
}

const offsetOf = (unit: number): number => ((unit >>> 10) << ((unit & 0x200) >>> 6)) >>> 0
