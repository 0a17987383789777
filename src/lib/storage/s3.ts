/*
 * S3-compatible stores. An object appears whole or not at all, so an upload that is cut leaves nothing. The commit is a
 * PUT with If-None-Match: *, which a store refuses with 412 when the name is taken.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { _Object, S3Client } from '@aws-sdk/client-s3'
import { mapLimited } from '../concurrency.ts'
import { GeogapError, inputError, storageError, networkError } from '../errors.ts'
import {
  busyFault,
  NetworkFault,
  retryTransient,
  storeNetworkSettings as network,
  watchChunks,
} from '../hub/http.ts'
import { withTempDir } from '../tempDir.ts'
import { type Storage } from './storage.ts'

interface S3Address {
  Bucket: string
  Key: string
}

/** @throws GeogapError `bad-store-url` */
function parseUrl(url: string): S3Address {
  const [, Bucket, Key = ''] =
    /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(url) ?? []
  if (Bucket === undefined)
    throw inputError('bad-store-url', `not an address of an object store: ${url}; s3://bucket/name`)
  return { Bucket, Key: Key.replace(/\/+$/, '') }
}

let sharedClient: Promise<S3Client> | undefined

const connect = (): Promise<S3Client> => (sharedClient ??= createClient())

async function createClient(): Promise<S3Client> {
  // A warning about Node 20 is for those who choose the client's version.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true'
  const { S3Client } = await import('@aws-sdk/client-s3')
  const endpoint = process.env.AWS_ENDPOINT_URL_S3 ?? process.env.AWS_ENDPOINT_URL
  const elsewhere = endpoint ? { endpoint, forcePathStyle: true } : {}
  return new S3Client({
    region: process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION ?? 'us-east-1',
    ...elsewhere,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // Requests are repeated here, for a body that is cut needs the whole request again.
    maxAttempts: 1,
    requestHandler: { connectionTimeout: 5000, socketTimeout: network.stallMs },
  })
}

interface StoreFault {
  name?: string
  code?: string
  message?: string
  $metadata?: { httpStatusCode?: number }
  $response?: { headers?: Record<string, string> }
}

const statusOf = (error: unknown): number | undefined =>
  (error as StoreFault | undefined)?.$metadata?.httpStatusCode

const reasonByStatus: Record<number, [code: string, reason: string]> = {
  401: ['store-denied', 'the store refuses the credentials'],
  403: ['store-denied', 'the store denies access'],
  404: ['no-bucket', 'there is no such bucket'],
  501: ['no-conditional-put', 'the store knows no conditional PUT (If-None-Match)'],
}

/** Returns the reason why a request failed, in one line; the kind is `network` where trying again later may help. */
function storeError(what: string, error: unknown): GeogapError {
  if (error instanceof GeogapError) return error
  const { name = '', message = '' } = error as StoreFault
  const known = reasonByStatus[statusOf(error) ?? 0]
  if (known) return storageError(known[0], `${what}: ${known[1]} (${name})`, error)
  if (name === 'CredentialsProviderError')
    return storageError('no-credentials', `${what}: no credentials for the store`, error)
  const reason = message.split('\n')[0] || name
  const text = `${what}: the store cannot be used (${reason})`
  return networkError('store-unreachable', text, error)
}

/** Returns the fault that may pass behind an error of the SDK; any other error is returned as it is. */
function transientFault(error: unknown): unknown {
  if (error instanceof GeogapError || error instanceof NetworkFault) return error
  const { name = '', code, message = '', $response } = error as StoreFault
  const status = statusOf(error)
  const reason = code ?? (message.split('\n')[0] || name)
  if (name === 'CredentialsProviderError' || status === 501) return error
  // A store answers RequestTimeout with 400; a body that cannot be read has the status of success or none.
  if (status === undefined || status < 300 || name === 'RequestTimeout')
    return new NetworkFault(reason, { cause: error })
  const fault = busyFault(status, $response?.headers?.['retry-after'])
  return fault ? new NetworkFault(fault.message, { waitMs: fault.waitMs, cause: error }) : error
}

/** Sends a request, again after faults that may pass; an error names what was to be done. */
async function sendRequest<T>(what: string, request: (client: S3Client) => Promise<T>): Promise<T> {
  const client = await connect()
  try {
    return await retryTransient(
      () =>
        request(client).catch((error: unknown) => {
          throw transientFault(error)
        }),
      network,
    )
  } catch (error) {
    throw storeError(what, error)
  }
}

/** Sends a request for an object that need not be there: then undefined. */
const sendOrIfMissing = <T>(
  what: string,
  request: (client: S3Client) => Promise<T>,
): Promise<T | undefined> =>
  sendRequest(what, client =>
    request(client).catch((error: unknown) => {
      if (statusOf(error) === 404 && (error as StoreFault).name !== 'NoSuchBucket') return undefined
      throw error
    }),
  )

/** Returns the bytes of an object, or a range of them (fewer where the object ends in it); undefined for a missing object. */
export async function readObject(
  url: string,
  range?: { offset: number; length: number },
): Promise<Uint8Array | undefined> {
  const { GetObjectCommand } = await import('@aws-sdk/client-s3')
  const part = range && { Range: `bytes=${range.offset}-${range.offset + range.length - 1}` }
  return sendOrIfMissing(`cannot read ${url}`, async client => {
    const { Body, ContentLength, ContentRange } = await client.send(
      new GetObjectCommand({ ...parseUrl(url), ...part }),
    )
    const body = Body as Readable
    const chunks: Uint8Array[] = []
    for await (const chunk of watchChunks(body, network, fault => body.destroy(fault)))
      chunks.push(chunk)
    const bytes = Buffer.concat(chunks)
    const expected = ContentLength ?? lengthOfRange(ContentRange) ?? range?.length
    if (bytes.length < (expected ?? 0))
      throw new NetworkFault(`the body ended after ${bytes.length} of ${expected} bytes`)
    return bytes
  })
}

/** Returns 100 for `bytes 100-199/200`. */
function lengthOfRange(range: string | undefined): number | undefined {
  const [, first, last] = /^bytes (\d+)-(\d+)\//.exec(range ?? '') ?? []
  return first === undefined ? undefined : Number(last) - Number(first) + 1
}

/** Returns size and content tag of an object, or undefined for a missing object. */
export async function headObject(url: string): Promise<{ bytes: number; tag: string } | undefined> {
  const { HeadObjectCommand } = await import('@aws-sdk/client-s3')
  return sendOrIfMissing(`cannot read ${url}`, async client => {
    const { ContentLength = 0, ETag = '' } = await client.send(new HeadObjectCommand(parseUrl(url)))
    return { bytes: ContentLength, tag: ETag }
  })
}

/** Lists the objects of a bucket below a prefix; with `Delimiter` without those in deeper folders. */
async function listContents(
  url: string,
  query: { Prefix: string; Delimiter?: string },
): Promise<_Object[]> {
  const { ListObjectsV2Command } = await import('@aws-sdk/client-s3')
  const { Bucket } = parseUrl(url)
  const found: _Object[] = []
  for (let token: string | undefined, isWhole = false; !isWhole;) {
    const input = { Bucket, ...query, ContinuationToken: token }
    const page = await sendRequest(`cannot list ${url}`, client =>
      client.send(new ListObjectsV2Command(input), {
        abortSignal: AbortSignal.timeout(4 * network.stallMs),
      }),
    )
    for (const object of page.Contents ?? []) found.push(object)
    isWhole = !page.IsTruncated || page.NextContinuationToken === token
    token = page.NextContinuationToken
  }
  return found
}

/** Lists the objects whose address starts with `url`, with their sizes and content tags. */
export async function listObjects(
  url: string,
): Promise<{ url: string; bytes: number; tag: string }[]> {
  const { Bucket, Key } = parseUrl(url)
  const Prefix = url.endsWith('/') && Key !== '' ? `${Key}/` : Key
  const objects = await listContents(url, { Prefix })
  return objects.map(({ Key = '', Size = 0, ETag = '' }) => ({
    url: `s3://${Bucket}/${Key}`,
    bytes: Size,
    tag: ETag,
  }))
}

/** Returns the sizes of the objects that exist: asked one by one, or listed where they are many. */
export async function objectSizes(urls: readonly string[]): Promise<Map<string, number>> {
  if (urls.length <= 64) {
    const heads = await mapLimited(
      urls,
      16,
      async url => [url, (await headObject(url))?.bytes] as const,
    )
    return new Map(heads.filter((entry): entry is [string, number] => entry[1] !== undefined))
  }
  const folders = [...new Set(urls.map(url => url.slice(0, url.lastIndexOf('/') + 1)))]
  const roots = folders.length > 64 ? [commonStart(folders)] : folders
  const lists = await mapLimited(roots, 8, listObjects)
  return new Map(lists.flat().map(({ url, bytes }) => [url, bytes]))
}

function commonStart(urls: readonly string[]): string {
  const sorted = [...urls].sort()
  const first = sorted[0]!
  const last = sorted.at(-1)!
  let same = 0
  while (same < first.length && first[same] === last[same]) same += 1
  return first.slice(0, first.lastIndexOf('/', same) + 1)
}

async function listNames(url: string): Promise<string[]> {
  const Prefix = `${parseUrl(url).Key}/`
  return (await listContents(url, { Prefix, Delimiter: '/' })).map(({ Key = '' }) =>
    Key.slice(Prefix.length),
  )
}

/** Returns the storage below `s3://bucket/prefix`. */
export function s3Storage(root: string): Storage {
  parseUrl(root)
  const at = (name: string): string => `${root.replace(/\/+$/, '')}/${name}`
  return {
    url: root,
    read: name => readObject(at(name)),
    put: async (name, fill) => {
      const { PutObjectCommand } = await import('@aws-sdk/client-s3')
      const Body = await fillBytes(fill)
      await sendRequest(`cannot write ${at(name)}`, client =>
        client.send(new PutObjectCommand({ ...parseUrl(at(name)), Body })),
      )
      return Body.length
    },
    create: (name, text) => createObject(at(name), text),
    list: folder => listNames(at(folder)),
    size: async name => (await headObject(at(name)))?.bytes,
    remove: async name => {
      const { DeleteObjectCommand } = await import('@aws-sdk/client-s3')
      await sendRequest(`cannot remove ${at(name)}`, client =>
        client.send(new DeleteObjectCommand(parseUrl(at(name)))),
      )
    },
  }
}

const fillBytes = (fill: (temporary: string) => Promise<void>): Promise<Uint8Array> =>
  withTempDir(async folder => {
    await fill(join(folder, 'file'))
    return readFile(join(folder, 'file'))
  })

/**
 * Creates an object that must not exist yet. A store says 409 while another upload of the name is under way: then it is asked
 * again who came first. It may say 412 to a repeated upload whose first attempt arrived though its answer was lost.
 */
async function createObject(url: string, text: string): Promise<boolean> {
  let attempts = 0
  const { PutObjectCommand } = await import('@aws-sdk/client-s3')
  const isCreated = await sendRequest(`cannot write ${url}`, async client => {
    attempts++
    try {
      await client.send(new PutObjectCommand({ ...parseUrl(url), Body: text, IfNoneMatch: '*' }))
      return true
    } catch (error) {
      const status = statusOf(error)
      if (status === 409) throw new NetworkFault('another upload is under way', { cause: error })
      if (status === 412) return false
      throw error
    }
  })
  if (isCreated || attempts === 1) return isCreated
  return Buffer.from((await readObject(url)) ?? '').equals(Buffer.from(text))
}
