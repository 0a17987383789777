import { type Place, isStore } from './place.ts'

/** A folder, or `s3://bucket/prefix` with the usual AWS variables and profiles (`AWS_ENDPOINT_URL` for other stores). */
export const openPlace = async (url: string): Promise<Place> =>
  isStore(url) ? (await import('./s3.ts')).s3Place(url) : (await import('./folder.ts')).folderPlace(url)
