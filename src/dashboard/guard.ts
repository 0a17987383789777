/*
 * Decides which requests the dashboard answers. It listens on this machine, but any page in a browser can send requests to it.
 * A request must therefore name this machine as its host (DNS rebinding), come from the dashboard's own page, and carry a
 * cookie that only the address printed at the start gives.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { type Context, type MiddlewareHandler } from 'hono'
import { getCookie, setCookie } from 'hono/cookie'

/** The content security policy of the pages. */
export const contentPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
]

const securityHeaders = {
  'Content-Security-Policy': contentPolicy.join('; '),
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
}

export interface Guard {
  /** Part of the printed address; whoever has it gets the cookie. */
  token: string
  /** Refuses with 403 (from elsewhere), 405 (not GET or HEAD) or 401 (no cookie). */
  check: MiddlewareHandler
}

/** Creates the guard of a server that listens on `host`. Loopback names are always accepted. */
export function createGuard(host: string): Guard {
  const token = randomSecret()
  const session = randomSecret()
  const own = new Set([
    '127.0.0.1',
    'localhost',
    '[::1]',
    host.includes(':') ? `[${host}]` : host.toLowerCase(),
  ])
  const check: MiddlewareHandler = async (c, next) => {
    for (const [name, value] of Object.entries(securityHeaders)) c.header(name, value)
    c.header('Cache-Control', 'no-store')
    const asked = c.req.header('host') ?? ''
    if (!own.has(asked.replace(/:\d+$/, '').toLowerCase())) return c.text('unknown host', 403)
    if (isFromElsewhere(c, asked)) return c.text('not from this page', 403)
    if (!['GET', 'HEAD'].includes(c.req.method)) return c.text('only GET', 405)
    const name = `geogap-${/:(\d+)$/.exec(asked)?.[1] ?? '80'}`
    const given = c.req.query('token')
    if (c.req.path === '/' && given !== undefined && isSameSecret(given, token)) {
      setCookie(c, name, session, { httpOnly: true, sameSite: 'Strict', path: '/' })
      return c.redirect('/', 303)
    }
    if (!isSameSecret(getCookie(c, name) ?? '', session))
      return c.text('open the address that geogap serve printed: it ends with ?token=…', 401)
    return next()
  }
  return { token, check }
}

function isFromElsewhere(c: Context, host: string): boolean {
  const origin = c.req.header('origin')
  const site = c.req.header('sec-fetch-site')
  return (
    (origin !== undefined && origin !== `http://${host}`) ||
    (site !== undefined && site !== 'same-origin' && site !== 'none') ||
    c.req.header('upgrade') !== undefined
  )
}

const randomSecret = (): string => randomBytes(24).toString('base64url')

/** Compares two texts in constant time. */
const isSameSecret = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b))

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
