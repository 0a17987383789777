/** Formats a value in percent as `53.2 %`. */
export const percentValue = (value: number): string => `${value.toFixed(1)} %`

/** Returns a known accuracy with its interval in percent. */
export const accuracyPercent = ({
  top1,
  low,
  high,
}: Record<'top1' | 'low' | 'high', number | null>) => ({
  accuracy: 100 * top1!,
  low: 100 * (low ?? top1!),
  high: 100 * (high ?? top1!),
})

/** `51.0 to 55.3`; `none` where the ends are equal, as a figure draws a value without an interval. */
export const range95 = ({ low, high }: { low: number; high: number }): string =>
  low === high ? 'none' : `${low.toFixed(1)} to ${high.toFixed(1)}`

/** Formats a number with a true minus sign, and without one if it rounds to 0. */
export const signedText = (value: number, digits: number): string =>
  value
    .toFixed(digits)
    .replace(/^-(?=.*[1-9])/, '−')
    .replace('-', '')

/** `0.41 to 0.65`, or a dash without an interval. */
export const intervalText = (
  { low, high }: { low: number | null; high: number | null },
  digits: number,
): string =>
  low === null || high === null ? '–' : `${signedText(low, digits)} to ${signedText(high, digits)}`

/** The low and the high end of an interval. */
type Ends = readonly [low: number, high: number]

/** `0.41 to 0.65` */
export const endsText = ([low, high]: Ends, digits: number): string =>
  intervalText({ low, high }, digits)

/** ` (95 % interval 0.41 to 0.65)`; empty without an interval. */
export const bracketedInterval = (interval: Ends | null, digits: number): string =>
  interval ? ` (95 % interval ${endsText(interval, digits)})` : ''

/** Returns an interval of shares in percentage points. */
export const inPoints = ([low, high]: Ends): Ends => [100 * low, 100 * high]
