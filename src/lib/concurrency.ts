/** Returns a function that runs at most `limit` tasks at once; further tasks wait in the order of their calls. */
export function createLimiter(limit: number): <T>(task: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = []
  let running = 0
  return async task => {
    if (running >= limit) await new Promise<void>(resolve => waiting.push(resolve))
    else running++
    try {
      return await task()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else running--
    }
  }
}

/** Applies `work` to every item with at most `limit` calls in flight. Results are in the order of the list. */
export function mapLimited<T, R>(
  list: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const limited = createLimiter(limit)
  return Promise.all(list.map(item => limited(() => work(item))))
}
