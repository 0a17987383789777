/** The regions that count as western (appendix F). */
const west: readonly string[] = ['Europe', 'Americas']
export const isWestern = (region: string): boolean => west.includes(region)
