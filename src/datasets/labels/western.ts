/** The regions that count as western (appendix F). */
const westernRegions: readonly string[] = ['Europe', 'Americas']
export const isWestern = (region: string): boolean => westernRegions.includes(region)
