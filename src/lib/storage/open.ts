import { type Storage, isObjectStoreUrl } from './storage.ts'

/** Opens a folder, or `s3://bucket/prefix` with the usual AWS variables and profiles (`AWS_ENDPOINT_URL` for other stores). */
export const openStorage = async (url: string): Promise<Storage> =>
  isObjectStoreUrl(url)
    ? (await import('./s3.ts')).s3Storage(url)
    : (await import('./folder.ts')).folderStorage(url)
