/* The hub's access token, found where huggingface_hub finds it (its `utils/_auth.py`). */
import { readFileSync } from 'node:fs'
import { inputError } from '../errors.ts'

/** An access token, and the variable or file that has it, for messages: these never show the token. */
export interface HubToken {
  value: string
  source: string
}

/**
 * Returns the token of `HF_TOKEN`, else of `HUGGING_FACE_HUB_TOKEN`, else of the file that `hf auth login` writes; none if
 * `HF_HUB_DISABLE_IMPLICIT_TOKEN` is set.
 * @throws GeogapError `bad-token` for a file that cannot be read and for characters that no token has
 */
export function findHubToken(
  env: Readonly<Record<string, string | undefined>>,
  file: string,
): HubToken | undefined {
  if (/^(1|true|yes|on)$/i.test(env.HF_HUB_DISABLE_IMPLICIT_TOKEN ?? '')) return undefined
  const variable = env.HF_TOKEN ? 'HF_TOKEN' : 'HUGGING_FACE_HUB_TOKEN'
  const named = withoutBreaks(env[variable] ?? '')
  const value = named || withoutBreaks(readTokenFile(file))
  const source = named ? variable : file
  if (/[^\x21-\x7e]/.test(value))
    throw inputError(
      'bad-token',
      `the token of ${source} has spaces or characters that no token has; set HF_TOKEN to the token alone`,
    )
  return value === '' ? undefined : { value, source }
}

const withoutBreaks = (text: string): string => text.replace(/[\r\n]/g, '').trim()

function readTokenFile(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return ''
    throw inputError(
      'bad-token',
      `the hub's token in ${file} cannot be read (${code}); make the file readable, or set HF_TOKEN`,
      error,
    )
  }
}
