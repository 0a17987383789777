import { type AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { type ServerType } from '@hono/node-server'
import { type Hono } from 'hono'
import { inputError, messageOf } from '../lib/errors.ts'
import { clientFiles, createApp } from './routes.ts'
import { watchCluster } from './cluster.ts'
import { createGuard } from './guard.ts'
import { openDashboardStore } from './store.ts'
import { createThumbnails } from './thumbnails.ts'

export interface ServeOptions {
  /** Address of this machine to listen on, 127.0.0.1 by default. */
  host?: string
  /** 0 takes a free port. */
  port?: number
  /** Folders to read images from, by default those of images that this machine evaluated itself. */
  images?: readonly string[]
  /** Address of a queue whose runs and workers are shown too. With it, `dir` may have no results yet. */
  queue?: string
  /** Folder of the built client. */
  client?: string
  onCount?: (done: number, of: number) => void
}

export interface DashboardServer {
  /** Address with its token. */
  url: string
  close: () => Promise<void>
}

export const builtClient = fileURLToPath(new URL('../client', import.meta.url))

/** Pause between two refreshes: at least `minMs`, and `factor` times as long as the last refresh took. */
const refreshPause = { minMs: 5000, factor: 20 }

/** Serves the results below `dir`. Errors: no-results, no-client, cannot-listen, those of `connectQueue`. */
export async function serve(dir: string, options: ServeOptions = {}): Promise<DashboardServer> {
  const { client = builtClient, host = '127.0.0.1', images = [], onCount, queue } = options
  const files = await clientFiles(client)
  const cluster = queue === undefined ? undefined : await watchCluster(queue)
  try {
    const store = await openDashboardStore(dir, {
      images,
      onCount,
      mayBeEmpty: cluster !== undefined,
    })
    const guard = createGuard(host)
    const onLook = throttle(() => store.refresh())
    const thumbnails = createThumbnails(store)
    const app = createApp({ store, guard, files, thumbnails, onLook, cluster })
    const server = await listen(app, host, options.port ?? 0)
    const name = host === '0.0.0.0' ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host
    return {
      url: `http://${name}:${(server.address() as AddressInfo).port}/?token=${guard.token}`,
      close: () =>
        new Promise(resolve => {
          cluster?.close()
          thumbnails.close()
          server.close(() => resolve())
          if ('closeAllConnections' in server) server.closeAllConnections()
        }),
    }
  } catch (error) {
    // An open connection would keep the process from exiting.
    cluster?.close()
    throw error
  }
}

async function listen({ fetch }: Hono, hostname: string, port: number): Promise<ServerType> {
  const { serve } = await import('@hono/node-server')
  return new Promise((resolve, reject) => {
    const server = serve({ fetch, hostname, port }, () => resolve(server))
    server.once('error', (error: NodeJS.ErrnoException) => {
      const reason = error.code ?? error.message
      reject(inputError('cannot-listen', `cannot listen on ${hostname}:${port} (${reason})`))
    })
  })
}

/** Returns a function that starts `work` unless it is running or ended too recently. */
function throttle(work: () => Promise<void>): () => void {
  let next = 0
  return () => {
    if (performance.now() < next) return
    next = Infinity
    const start = performance.now()
    const end = (): void => {
      const now = performance.now()
      next = now + Math.max(refreshPause.minMs, refreshPause.factor * (now - start))
    }
    work().then(end, (error: unknown) => {
      process.stderr.write(`geogap: ${messageOf(error)}\n`)
      end()
    })
  }
}
