/**
 * Returns the value that `record` itself has for `key`. Names from a file may be `constructor` or `toString`, which every
 * object inherits.
 */
export const ownValue = <Value>(
  record: Readonly<Record<string, Value>>,
  key: string,
): Value | undefined => (Object.hasOwn(record, key) ? record[key] : undefined)
