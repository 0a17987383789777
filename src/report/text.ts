import stringWidth from 'string-width'

/** Text without control characters, so that a name from a file cannot steer a terminal. */
export const printable = (text: string): string =>
  text.replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '\ufffd')

/** 0.8054 as `80.5`; null as a dash. */
export const percent = (share: number | null, digits = 1): string =>
  share === null ? '–' : (100 * share).toFixed(digits)

export const percentRange = (low: number | null, high: number | null): string =>
  low === null || high === null ? '–' : `${percent(low)} – ${percent(high)}`

/** Fills up with spaces to `width` columns of a terminal. */
export function pad(text: string, width: number, right: boolean): string {
  const fill = ' '.repeat(Math.max(0, width - stringWidth(text)))
  return right ? fill + text : text + fill
}

export const textWidth = (text: string): number => stringWidth(text)
