/*
 * S3-compatible stores. An object appears whole or not at all, so an upload that is cut leaves nothing. The commit is a
 * PUT with If-None-Match: *, which a store refuses with 412 when the name is taken.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { _Object, PutObjectCommandInput, S3Client } from '@aws-sdk/client-s3'
import { mapLimited } from '../concurrency.ts'
import { GeogapError, inputError } from '../errors.ts'
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
  const elsewhere = process.env.AWS_ENDPOINT_URL_S3 ?? process.env.AWS_ENDPOINT_URL
  return new S3Client({
    region: process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION ?? 'us-east-1',
    ...(elsewhere ? { endpoint: elsewhere, forcePathStyle: true } : {}),
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: 5,
    requestHandler: { connectionTimeout: 5000, requestTimeout: 120_000 },
  })
}

interface StoreFault {
  name?: string
  code?: string
  message?: string
  $metadata?: { httpStatusCode?: number }
}

const statusOf = (error: unknown): number | undefined =>
  (error as StoreFault | undefined)?.$metadata?.httpStatusCode

const reasonByStatus: Record<number, [code: string, reason: string]> = {
  401: ['store-denied', 'the store refuses the credentials'],
  403: ['store-denied', 'the store denies access'],
  404: ['no-bucket', 'there is no such bucket'],
  501: ['no-conditional-put', 'the store knows no conditional PUT (If-None-Match)'],
}

/** Why a request failed, in one line; `network` where trying again may help. */
function storeError(what: string, error: unknown): GeogapError {
  if (error instanceof GeogapError) return error
  const { name = '', code, message = '' } = error as StoreFault
  const known = reasonByStatus[statusOf(error) ?? 0]
  if (known)
    return new GeogapError('storage', known[0], `${what}: ${known[1]} (${name})`, { cause: error })
  if (name === 'CredentialsProviderError')
    return new GeogapError('storage', 'no-credentials', `${what}: no credentials for the store`, {
      cause: error,
    })
  const reason = code ?? (message.split('\n')[0] || name)
  return new GeogapError(
    'network',
    'store-unreachable',
    `${what}: the store cannot be used (${reason})`,
    {
      cause: error,
    },
  )
}

/** Does a request; an error names what was to be done. */
async function sendRequest<T>(what: string, request: (client: S3Client) => Promise<T>): Promise<T> {
  try {
    return await request(await connect())
  } catch (error) {
    throw storeError(what, error)
  }
}

/** The same for an object that need not be there: then undefined. */
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

/** The bytes of an object, or a part of them; undefined where there is none. */
export async function readObject(
  url: string,
  part?: { offset: number; length: number },
): Promise<Uint8Array | undefined> {
  const { GetObjectCommand } = await import('@aws-sdk/client-s3')
  const Range = part && `bytes=${part.offset}-${part.offset + part.length - 1}`
  return sendOrIfMissing(`cannot read ${url}`, async client => {
    const found = await client.send(
      new GetObjectCommand({ ...parseUrl(url), ...(Range && { Range }) }),
    )
    return found.Body!.transformToByteArray()
  })
}

/** Size and content tag of an object; undefined where there is none. */
export async function headObject(url: string): Promise<{ bytes: number; tag: string } | undefined> {
  const { HeadObjectCommand } = await import('@aws-sdk/client-s3')
  return sendOrIfMissing(`cannot read ${url}`, async client => {
    const { ContentLength = 0, ETag = '' } = await client.send(new HeadObjectCommand(parseUrl(url)))
    return { bytes: ContentLength, tag: ETag }
  })
}

/** What a store lists of a bucket below a prefix; with `Delimiter` nothing in deeper folders. */
async function listContents(
  url: string,
  query: { Prefix: string; Delimiter?: string },
): Promise<_Object[]> {
  const { paginateListObjectsV2 } = await import('@aws-sdk/client-s3')
  const { Bucket } = parseUrl(url)
  return sendRequest(`cannot list ${url}`, async client => {
    const found: _Object[] = []
    for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket, ...query }))
      found.push(...Contents)
    return found
  })
}

/** Every object whose address starts with `url`, with its size and content tag. */
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

/** Sizes of the objects that exist: asked one by one, or listed where they are many. */
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
  const [first, last] = [[...urls].sort()[0]!, [...urls].sort().at(-1)!]
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

async function putObject(
  url: string,
  Body: Uint8Array | string,
  more: Partial<PutObjectCommandInput> = {},
): Promise<void> {
  const { PutObjectCommand } = await import('@aws-sdk/client-s3')
  await sendRequest(`cannot write ${url}`, client =>
    client.send(new PutObjectCommand({ ...parseUrl(url), Body, ...more })),
  )
}

/** Below `s3://bucket/prefix`. */
export function s3Storage(root: string): Storage {
  parseUrl(root)
  const at = (name: string): string => `${root.replace(/\/+$/, '')}/${name}`
  return {
    url: root,
    read: name => readObject(at(name)),
    put: async (name, fill) => {
      const bytes = await fillBytes(fill)
      await putObject(at(name), bytes)
      return bytes.length
    },
    create: (name, text) => createObject(at(name), text),
    list: folder => listNames(at(folder)),
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

const maxConflictTries = 5

/** A store says 409 while another upload of the name is under way: then it is asked again who came first. */
async function createObject(url: string, text: string): Promise<boolean> {
  for (let tries = 1; ; tries++) {
    try {
      await putObject(url, text, { IfNoneMatch: '*' })
      return true
    } catch (error) {
      const status = statusOf((error as GeogapError).cause)
      if (status === 412) return false
      if (status !== 409 || tries === maxConflictTries) throw error
    }
  }
}
