import { writeFile } from 'node:fs/promises'
import { openStorage } from '../../../src/lib/storage/open.ts'

/** Uploads 256 MB as a shard's file; says when the bytes are there. */
const place = await openStorage(process.argv[2]!)
await place.put('predictions/entry/00000000-00000004-abcdef01.parquet', async temporary => {
  await writeFile(temporary, Buffer.alloc(256e6))
  console.log('sending')
})
