/*
 * Repair of texts that were decoded with the wrong one-byte encoding ("cafÃ©" for "café"), as ftfy 6.3.1 makes it (Speer
 * 2019). A text is changed only if it has a pair of characters that written languages do not have, and if its bytes in one
 * of the encodings are UTF-8. Left out: code page 437 and the variants of UTF-8 by Java and Oracle.
 */

/** Classes of characters that mojibake is made of. */
const c1 = '\\x80-\\x9f'
const rare = '¦¤¨¬¯¸ƒˆˇ˘˛˜†‡‰⌐◊\ufffdªº'
const opening = '¡«¿©΄΅‘‚“„•‹\uf8ff'
const closing = '®»˝”›™'
const currency = '¢£¥₧€'
const numeric = '²³¹±¼½¾×µ÷⁄∂∆∏∑√∞∩∫≈≠≡≤≥№'
const law = '¶§'
const common = '\xa0\xad·´–—―…’'
const kaomoji = 'Ò-ÖÙ-Üò-öø-üŐŌŪŲ°'
const upper = 'À-ÑØÜÝĂĀĄĆČĎĐĘĚĒĖĞĢİĪĶĹĽŁĻŃŇŅŒŘŚŞŠŢŤŮŰŸŹŻŽҐ'
const lower = 'ßà-ñăąāćčďđęěēėğģįīķĺľłļœŕśşšťüźżžґ\ufb01\ufb02'
const upperWord = 'ÞΑ-ΩΆΈΉΊΌΎΏΪΫЁ-Я'
const lowerWord = 'α-ωάέήίΰа-џ'
const box = '│┌┐┘├┤┬┼═-╬▀▄█▌▐░▒▓'
const symbols = `${box}${opening}${closing}${currency}${numeric}${law}`
const arabic = `[ØÙ][${common}${currency}${rare}${numeric}${opening}ŸŠ®°µ»]`

/** Sequences that are far more often mojibake than meant. */
const doubtful = new RegExp(
  [
    `[${c1}]`,
    `[${rare}${lower}${upper}${symbols}][${rare}]`,
    `[a-zA-Z][${lowerWord}${upperWord}][${rare}]`,
    `[${rare}][${lower}${upper}${symbols}]`,
    `[${lower}${lowerWord}${box}${closing}${currency}${numeric}][${upper}]`,
    `[${box}${closing}${currency}${numeric}][${lower}]`,
    `[${lower}${box}${closing}][${currency}]`,
    `\\s[${upper}][${currency}]`,
    `[${upper}${box}][${numeric}${law}]`,
    `[${lower}${upper}${box}${currency}${closing}][${opening}][${numeric}]`,
    `[${lower}${upper}${currency}${numeric}${box}${law}][${closing}][${opening}]`,
    `[${currency}${numeric}${box}][${opening}]`,
    `[a-z][${upper}][${opening}${currency}]`,
    `[${box}][${kaomoji}${closing}]`,
    `[${lower}${upper}${currency}${numeric}${opening}${closing}${law}][${box}]`,
    `[${lower}${upper}][${opening}${closing}][\\p{L}\\p{N}_]`,
    `[Œœ][^A-Za-z]`,
    `[${upper}]°`,
    `[ÂÃÎÐ][€œŠš¢£Ÿž\xa0\xad®°·»${opening}${closing}–—´]`,
    '×[²³]|Ã[\xa0¡]|à[²µ¹¼½¾]|√[±∂†≠®™´≤≥¥µø]|≈[°¢]|‚Ä[ìîïòôúùû†°¢π]|‚[âó][àä°ê]',
    `${arabic}${arabic}`,
    `вЂ|ГўВЂВ.[A-Za-z ]|[ВГРС][${c1}${rare}${opening}${closing}${currency}°µ][ВГРС]`,
    `β€[™\xa0Ά\xad®°]|ā€|[ΒΓΞΟ][${c1}${rare}${opening}${closing}${currency}°][ΒΓΞΟ]`,
    `[a-z]\\s?[ÃÂ] |^[ÃÂ] |[a-z.,?!${closing}]Â[ ${opening}${closing}]`,
  ].join('|'),
  'u',
)

interface OneByteEncoding {
  name: string
  /** The byte of each character. */
  bytes: ReadonlyMap<string, number>
}

/** The characters of the bytes 128 to 159 in Windows-1252, which Node.js 20 decodes as Latin-1. */
const windows1252Start = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ'

/** The encodings in the order in which they are tried. */
const encodings: readonly OneByteEncoding[] = [
  'latin-1',
  'windows-1252',
  'windows-1251',
  'windows-1250',
  'windows-1253',
  'windows-1254',
  'windows-1257',
  'iso-8859-2',
  'macintosh',
].map(name => ({ name, bytes: bytesOf(name) }))

/** Returns the characters of the bytes 0 to 255; a byte without a character of its own stands for itself. */
function charactersOf(name: string): string[] {
  const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte)
  const latin1 = Array.from(bytes, byte => String.fromCharCode(byte))
  if (name === 'latin-1') return latin1
  if (name === 'windows-1252') return latin1.map((own, byte) => windows1252Start[byte - 128] ?? own)
  const decoded = Array.from(new TextDecoder(name).decode(bytes))
  return decoded.map((found, byte) => (found === '\ufffd' ? latin1[byte]! : found))
}

/** Returns the byte of each character; in Windows' encodings, 26 stands for what was lost already. */
function bytesOf(name: string): ReadonlyMap<string, number> {
  const bytes = new Map(charactersOf(name).map((character, byte) => [character, byte]))
  return name.startsWith('windows') ? bytes.set('\ufffd', 26) : bytes
}

/** Returns the text's bytes as characters up to U+00FF, or undefined if the encoding lacks one of its characters. */
function encode(text: string, { bytes }: OneByteEncoding): string | undefined {
  const found = Array.from(text, character => bytes.get(character))
  if (found.includes(undefined)) return undefined
  return String.fromCharCode(...(found as number[]))
}

/** UTF-8 whose byte A0 became a space. */
const lostSpace = new RegExp(
  [
    '[\xc2\xc3\xc5\xce\xd0\xd9] ',
    '[\xe2\xe3] [\x80-\x84\x86-\x9f\xa1-\xbf]',
    '[\xe0-\xe3][\x80-\x84\x86-\x9f\xa1-\xbf] ',
    '\xf0 [\x80-\xbf]{2}|\xf0[\x80-\xbf] [\x80-\xbf]|\xf0[\x80-\xbf]{2} ',
  ].join('|'),
  'g',
)
const wordA = /\xc3 (?! |quele|quela|quilo|s )/g

/** UTF-8 that lost some of its bytes, for which 26 or a question mark stands. */
const lostBytes = new RegExp(
  [
    '[\xc2-\xdf]\x1a|[\xc2\xc3]\\?',
    '[\xe0-\xef][\x1a?][\x1a\x80-\xbf]|[\xe0-\xef][\x1a\x80-\xbf][\x1a?]',
    '[\xf0-\xf4][\x1a?][\x1a\x80-\xbf]{2}|[\xf0-\xf4][\x1a\x80-\xbf][\x1a?][\x1a\x80-\xbf]',
    '[\xf0-\xf4][\x1a\x80-\xbf]{2}[\x1a?]|\x1a',
  ].join('|'),
  'g',
)

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Returns the text whose UTF-8 bytes were taken for this encoding, or undefined if they are none. */
function decodeAgain(text: string, encoding: OneByteEncoding): string | undefined {
  let bytes = encode(text, encoding)
  if (bytes === undefined) return undefined
  if (encoding.name !== 'macintosh' && bytes.search(lostSpace) >= 0)
    bytes = bytes
      .replace(wordA, '\xc3\xa0 ')
      .replace(lostSpace, found => found.replaceAll(' ', '\xa0'))
  if (encoding.name.startsWith('windows')) bytes = bytes.replace(lostBytes, '\xef\xbf\xbd')
  try {
    return utf8.decode(Buffer.from(bytes, 'latin1'))
  } catch {
    return undefined
  }
}

const [latin1, windows1252] = encodings as [OneByteEncoding, OneByteEncoding]
const windowsCharacters = charactersOf('windows-1252')

/** The characters of Windows-1252 whose bytes are in a range, as a class of a pattern. */
const byteClass = (first: number, last: number): string =>
  `[${windowsCharacters.slice(first, last + 1).join('')}]`

const next = byteClass(0x80, 0xbf)
const embedded = new RegExp(
  `(?<!${next})(?:${byteClass(0xc2, 0xdf)}${next}|${byteClass(0xe0, 0xef)}${next}{2}|${byteClass(0xf0, 0xf3)}${next}{3})+`,
  'gu',
)

/** Returns the text with mojibake repaired, also if it was decoded wrongly several times. */
export function repairMojibake(text: string): string {
  const repaired = repairOnce(text)
  return repaired === text ? text : repairMojibake(repaired)
}

function repairOnce(text: string): string {
  if (!doubtful.test(text)) return text
  for (const encoding of encodings) {
    const decoded = decodeAgain(text, encoding)
    if (decoded !== undefined) return decoded
  }
  const inPart = text.replace(embedded, found =>
    found.length < text.length && doubtful.test(found) ? repairMojibake(found) : found,
  )
  if (inPart !== text) return inPart
  const inLatin1 = encode(text, latin1) !== undefined
  return inLatin1 && encode(text, windows1252) !== undefined ? text : replaceControls(text)
}

/** Returns the text with the control characters U+0080 to U+009F as Windows-1252 has them. */
export const replaceControls = (text: string): string =>
  text.replace(/[\x80-\x9f]/g, found => windowsCharacters[found.charCodeAt(0)]!)
