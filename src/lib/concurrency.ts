/** Runs `work` over `list` with a bounded number in flight, results in the list's order. */
export async function mapLimited<T, R>(
  list: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(list.length)
  let next = 0
  const worker = async (): Promise<void> => {
    for (let i = next++; i < list.length; i = next++) results[i] = await work(list[i]!)
  }
  await Promise.all(Array.from({ length: Math.min(limit, list.length) }, worker))
  return results
}
