import { signedText } from './values.ts'

/** Replaces control characters, so that a name from a file cannot steer a terminal, and lone surrogates. */
export const stripControlCharacters = (text: string): string =>
  text.replace(
    /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]|\p{Surrogate}/gu,
    '\ufffd',
  )

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Escapes text for an element's content or a quoted attribute, without control characters. */
export const escapeHtml = (text: string): string =>
  stripControlCharacters(text).replace(/[&<>"']/g, found => entities[found]!)

/** Returns indented JSON with a line end. */
export const jsonText = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`

/** Quotes a word for a shell unless it holds only letters, digits and harmless signs. */
export const shellWord = (text: string): string =>
  /^[\p{L}\p{M}\p{N}@%+=:,./_-]+$/u.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`

/** Formats 0.8054 as `80.5` and null as a dash. */
export const percent = (share: number | null, digits = 1): string =>
  share === null ? '–' : signedText(100 * share, digits)

/** Formats 0.00012 as `< 0.001`. */
export const pValueText = (p: number): string => (p < 0.001 ? '< 0.001' : p.toFixed(3))

/** Formats 0.00012 as `< 0.001` and 0.237 as `0.24`. */
export const pNumber = (p: number): string => (p < 0.1 ? pValueText(p) : p.toFixed(2))

/** Formats 0.00012 as `p < 0.001` and 0.237 as `p = 0.24`. */
export const pEquation = (p: number): string =>
  p < 0.001 ? `p ${pNumber(p)}` : `p = ${pNumber(p)}`

/** Formats a difference of shares in percentage points with its sign: 0.0314 as `+3.1`. */
export const pointsText = (share: number): string => {
  const text = signedText(100 * share, 1)
  return share > 0 && /[1-9]/.test(text) ? `+${text}` : text
}

export const percentRange = (low: number | null, high: number | null): string =>
  low === null || high === null ? '–' : `${percent(low)} – ${percent(high)}`

/** Returns a text with its first letter in upper case. */
export const upperFirst = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

/** Formats 18798136 as `18.8 MB`. */
export function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = bytes
  while (value >= 999.5 && units.length > 1) {
    value /= 1000
    units.shift()
  }
  return `${units[0] === 'B' || value >= 99.95 ? value.toFixed(0) : value.toFixed(1)} ${units[0]!}`
}

/** Formats 5400 seconds as `1.5 h`. */
export function durationText(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`
  return seconds < 172_800
    ? `${(seconds / 3600).toFixed(1)} h`
    : `${(seconds / 86_400).toFixed(1)} days`
}

/** `about 12 min (measured)` */
export const timeText = ({ seconds, measured }: { seconds: number; measured: boolean }): string =>
  `about ${durationText(seconds)} (${measured ? 'measured' : 'estimated for a CPU'})`

/** Joins the first `most` names and the number of further ones. */
export const shortList = (names: readonly string[], most: number): string =>
  [...names.slice(0, most), ...(names.length > most ? [`${names.length - most} more`] : [])].join(
    ', ',
  )

/** `Kenya (12), Ghana (9), 3 more`: groups with their numbers of images, each once. */
export const groupList = (groups: readonly { group: string; n: number }[], most: number): string =>
  shortList([...new Set(groups.map(({ group, n }) => `${group} (${n})`))], most)

const formulaPattern = /^'*(?:\s*[=+\-@＝＋－＠]|[\t\r])/

/** Puts an apostrophe in front of a text that a spreadsheet would take for a formula. */
export const escapeFormula = (text: string): string =>
  formulaPattern.test(text) ? `'${text}` : text

/** Reverses `escapeFormula`. */
export const unescapeFormula = (text: string): string =>
  text.startsWith("'") && formulaPattern.test(text) ? text.slice(1) : text

/** `1 model`, `98 models`, `10,333 images`. */
export const countText = (n: number, noun: string): string =>
  `${Math.round(n).toLocaleString('en-US')} ${noun}${Math.round(n) === 1 ? '' : 's'}`

/** Returns a text whose numbers stay on one line with their percent sign and with a comparison sign: the spaces are U+00A0. */
export const withUnbrokenSpaces = (text: string): string =>
  text.replace(/ (?=%|[<=≤≥] ?\d)|(?<=[<=≤≥]) (?=\d)/g, '\u00a0')
