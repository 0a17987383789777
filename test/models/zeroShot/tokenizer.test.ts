import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Context, type RunningScriptInNewContextOptions, Script } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { textCleaners } from '../../../src/models/zeroShot/cleanText.ts'
import { foreignTextEncoder } from '../../../src/models/zeroShot/textEncoder.ts'
import { type BoundTextTower } from '../../../src/models/spec.ts'
import { loadTokenizer, padTokens, type Tokenizer } from '../../../src/models/zeroShot/tokenizer.ts'
import { shared, sharedPath } from '../../helpers/shared.ts'
import { wordPieceJson } from './wordPiece.ts'

const clip = { cleaning: 'lower', contextLength: 77, padding: 0 } as const
const bert = { cleaning: 'none', contextLength: 77, padding: 0 } as const

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-tokenizer-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function written(name: string, content: string): Promise<string> {
  const file = join(folder, name)
  await writeFile(file, content)
  return file
}

interface ClipCases {
  context_length: number
  cases: { text: string; ids: number[] }[]
}

const tokenizerFile = sharedPath('golden/tokenizer/clip_tokenizer.json')

/** Other names of the special tokens, merges as strings, RoBERTa's post-processor. */
function asOnTheHub(json: string): string {
  const tokenizer = JSON.parse(
    json
      .replaceAll('<start_of_text>', '<|startoftext|>')
      .replaceAll('<end_of_text>', '<|endoftext|>'),
  ) as { post_processor: object; model: { merges: string[][] } }
  const [cls, sep] = [
    ['<|startoftext|>', 49406],
    ['<|endoftext|>', 49407],
  ]
  return JSON.stringify({
    ...tokenizer,
    post_processor: {
      type: 'RobertaProcessing',
      sep,
      cls,
      trim_offsets: false,
      add_prefix_space: false,
    },
    model: { ...tokenizer.model, merges: tokenizer.model.merges.map(pair => pair.join(' ')) },
  })
}

describe.skipIf(!shared)("CLIP's tokenizer, against OpenCLIP", () => {
  const { cases } = shared
    ? (JSON.parse(
        readFileSync(sharedPath('golden/tokenizer/clip_cases.json'), 'utf8'),
      ) as ClipCases)
    : { cases: [] }
  let tokenize: Tokenizer
  beforeAll(async () => {
    tokenize = await loadTokenizer(tokenizerFile, clip)
  })

  it.each(cases)('$text', ({ text, ids }) => {
    expect([...padTokens([tokenize(text)], { length: 77, padding: 0 }).tokens].map(Number)).toEqual(
      ids,
    )
  })

  it("reads the form in which OpenAI's models have it", async () => {
    const file = await written('openai.json', asOnTheHub(readFileSync(tokenizerFile, 'utf8')))
    const hub = await loadTokenizer(file, clip)
    for (const { text } of cases) expect(hub(text), text).toEqual(tokenize(text))
  })

  it('mends the characters that ftfy mends', () => {
    for (const [written, plain] of [
      ['a ‘quoted’ “word”', 'a \'quoted\' "word"'],
      ['ﬁne ﬂat oﬃce', 'fine flat office'],
      ['ＦＵＬＬ　ｗｉｄｔｈ', 'full width'],
      ['soft\u0007 bell\ufeff', 'soft bell'],
      ['cafe\u0301', 'café'],
      ['next\u0085line', 'next…line'],
      ['&amp;lt;b&amp;gt;', '<b>'],
    ] as const) {
      expect(tokenize(written), written).toEqual(tokenize(plain))
    }
  })

  it('cuts at the context and keeps the last token', () => {
    const ids = tokenize('stove '.repeat(100))
    expect(ids).toHaveLength(77)
    expect([ids[0], ids[75], ids[76]]).toEqual([49406, 21423, 49407])
  })
})

interface MiniatureCases {
  clean: 'lower' | 'whitespace' | 'canonicalize'
  context_length: number
  pad: number
  strip_sep_token?: boolean
  language?: string
  cases: { text: string; cleaned: string; ids: number[] }[]
}

const miniatures = 'siglip siglip_i18n siglip2 xlm_roberta nllb roberta bert clip clip_32'.split(
  ' ',
)

describe.skipIf(!shared)("OpenCLIP's other tokenizers in miniature", () => {
  it.each(miniatures)('%s', async name => {
    const at = (file: string): string => sharedPath(`golden/tokenizer-more/${name}/${file}`)
    const { clean, context_length, pad, cases, ...facts } = JSON.parse(
      readFileSync(at('cases.json'), 'utf8'),
    ) as MiniatureCases
    const file = name.startsWith('clip') ? tokenizerFile : at('tokenizer.json')
    const tokenize = await loadTokenizer(file, {
      cleaning: clean,
      contextLength: context_length,
      padding: pad,
      ...(facts.strip_sep_token && { dropped: '[SEP]' }),
      ...(facts.language !== undefined && { language: facts.language }),
    })
    const size = { length: context_length, padding: pad }
    expect(cases).toHaveLength(200)
    for (const { text, cleaned, ids } of cases) {
      expect(textCleaners[clean](text), text).toBe(cleaned)
      expect([...padTokens([tokenize(text)], size).tokens].map(Number), text).toEqual(ids)
    }
  })
})

describe('cleaning', () => {
  it.each([
    ['cafÃ©', 'café'],
    ['dÃ©jÃ  vu', 'déjà vu'],
    ['â€œquotedâ€\x9d', '"quoted"'],
    ['a photo of 台 and cafÃ©', 'a photo of 台 and café'],
    ['РїСЂРёРІРµС‚', 'привет'],
    ['nel\x85end', 'nel…end'],
    ['&NTILDE;', 'Ñ'],
    ['a < b &amp;lt; c', 'a < b < c'],
    ['one\x1ctwo\x85three\u2003four', 'onetwo…three four'],
  ])('%s', (text, cleaned) => {
    expect(textCleaners.whitespace(text)).toBe(cleaned)
  })

  it.each([
    'CAFÉ…',
    '“CAFÉ”',
    'ГРЭС №5',
    'Straße',
    'Ünlü',
    'ÉCOLE®',
    'тарелка',
    'ταβέρνα',
    'Ål – Øl',
  ])('leaves the letters of %s', text => {
    expect(textCleaners.whitespace(text)).toBe(text.replace('“', '"').replace('”', '"'))
  })

  it('takes punctuation and case out of canonical texts', () => {
    expect(textCleaners.canonicalize('A_photo of (a) Stove!')).toBe('a photo of a stove')
  })
})

describe("BERT's word pieces, as FLAVA takes them", () => {
  it.each([
    ['a photo of a stove', [2, 4, 5, 6, 4, 7, 8, 3]],
    ['A Photo of STOVES', [2, 4, 5, 6, 7, 8, 9, 3]],
    ['Café, the', [2, 12, 13, 11, 3]],
    ['a/stove', [2, 4, 10, 7, 8, 3]],
    ['a zebra', [2, 4, 1, 3]],
    ['', [2, 3]],
  ])('%s', async (text, ids) => {
    const tokenize = await loadTokenizer(await written('bert.json', wordPieceJson), bert)
    expect(tokenize(text)).toEqual(ids)
  })

  it.each([
    ['a separator by template', {}, [2, 4, 5, 3]],
    [
      'a separator of BERT',
      { type: 'BertProcessing', sep: ['[SEP]', 3], cls: ['[CLS]', 2] },
      [2, 4, 5, 3],
    ],
    ['nothing', null, [4, 5, 6, 4]],
    [
      'a start alone',
      {
        type: 'TemplateProcessing',
        single: [
          { SpecialToken: { id: '[CLS]', type_id: 0 } },
          { Sequence: { id: 'A', type_id: 0 } },
        ],
        pair: [],
        special_tokens: { '[CLS]': { id: '[CLS]', ids: [2], tokens: ['[CLS]'] } },
      },
      [2, 4, 5, 6],
    ],
  ])('cuts texts that end with %s', async (name, post, ids) => {
    const file = JSON.parse(wordPieceJson) as { post_processor: object }
    const processor = name.startsWith('a separator by') ? file.post_processor : post
    const content = JSON.stringify({ ...file, post_processor: processor })
    const tokenize = await loadTokenizer(await written(`${name}.json`, content), {
      cleaning: 'none',
      contextLength: 4,
      padding: 0,
    })
    expect(tokenize('a photo of a photo')).toEqual(ids)
  })

  it('cuts at the context and keeps the separator', async () => {
    const tokenize = await loadTokenizer(await written('bert.json', wordPieceJson), {
      ...bert,
      contextLength: 4,
    })
    expect(tokenize('a photo of a stove')).toEqual([2, 4, 5, 3])
  })
})

it("texts for a foreign tower change their case alone, as Transformers' do", () => {
  const { tokenizer } = foreignTextEncoder({ lowercase: true } as BoundTextTower)
  expect(tokenizer.cleaning).toBe('case')
  expect(textCleaners.case('“A”  ＦＵＬＬ &AMP;\t')).toBe('“a”  ｆｕｌｌ &amp;\t')
})

describe('tokenizers that the library reads otherwise than Hugging Face', () => {
  const idsOf = async (change: object, text: string): Promise<number[]> => {
    const file = { ...(JSON.parse(wordPieceJson) as object), ...change }
    const tokenize = await loadTokenizer(await written('other.json', JSON.stringify(file)), bert)
    return tokenize(text)
  }
  const words = '[UNK] [CLS] [SEP] café naïve ΑΣ'.split(' ')
  const model = {
    type: 'WordPiece',
    unk_token: '[UNK]',
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 100,
    vocab: Object.fromEntries(words.map((word, id) => [word, id])),
  }

  it('keep letters that are not ASCII’s in their words', async () => {
    const whitespace = { normalizer: null, model, pre_tokenizer: { type: 'Whitespace' } }
    expect(await idsOf(whitespace, 'café naïve')).toEqual([2, 3, 4, 3])
    const sequence = { type: 'Sequence', pretokenizers: [{ type: 'Whitespace' }] }
    expect(await idsOf({ ...whitespace, pre_tokenizer: sequence }, 'café')).toEqual([2, 3, 3])
  })

  it('give whole-word models their unknown token', async () => {
    const { vocab, unk_token } = model
    const whole = { normalizer: null, model: { type: 'WordLevel', vocab, unk_token } }
    expect(await idsOf(whole, 'café zebra')).toEqual([2, 3, 0, 3])
  })

  it('keep a Greek sigma where they keep capitals', async () => {
    const normalizer = {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: false,
    }
    expect(await idsOf({ normalizer, model }, 'ΑΣ')).toEqual([2, 5, 3])
  })
})

describe('padded', () => {
  it('fills up and masks the padding', () => {
    const { tokens, mask } = padTokens([[7, 8, 9], [5]], { length: 4, padding: 1 })
    expect([...tokens].map(Number)).toEqual([7, 8, 9, 1, 5, 1, 1, 1])
    expect([...mask].map(Number)).toEqual([1, 1, 1, 0, 1, 0, 0, 0])
  })
})

describe('a file that is no tokenizer', () => {
  it.each([
    ['not-json.json', '<html>', 'is not a tokenizer.json'],
    ['other.json', '{"model": {"type": "Nothing"}}', 'is not a tokenizer.json'],
  ])('%s', async (name, content, message) => {
    await expect(loadTokenizer(await written(name, content), bert)).rejects.toMatchObject({
      code: 'bad-tokenizer',
      message: expect.stringContaining(message) as string,
    })
  })

  it('that is not there', async () => {
    await expect(loadTokenizer(join(folder, 'none.json'), clip)).rejects.toMatchObject({
      code: 'bad-tokenizer',
    })
  })
})

describe('a crafted tokenizer.json', () => {
  // A tenth of the time limit; without any, a test would never end.
  beforeAll(() => {
    const whole = Object.getOwnPropertyDescriptor(Script.prototype, 'runInContext')!
      .value as Script['runInContext']
    vi.spyOn(Script.prototype, 'runInContext').mockImplementation(function (
      this: Script,
      context: Context,
      options?: RunningScriptInNewContextOptions,
    ) {
      const { timeout } = options ?? {}
      return whole.call(this, context, {
        ...options,
        ...(timeout === undefined ? {} : { timeout: timeout / 10 }),
      }) as unknown
    })
  })
  afterAll(() => {
    vi.restoreAllMocks()
  })

  const bpe = { type: 'BPE', vocab: { a: 0, b: 1, ab: 2 }, merges: [['a', 'b']] }
  const split = (Regex: string) => ({
    type: 'Split',
    pattern: { Regex },
    behavior: 'Isolated',
    invert: false,
  })
  it.each<[string, unknown]>([
    ['null', null],
    ['a list', []],
    ['a number', 3],
    ['nothing', {}],
    ['no vocabulary', { model: { type: 'BPE', merges: [] } }],
    ['an unknown kind of model', { model: { type: 'Evil', vocab: {} } }],
    ['a pattern that backtracks for ever', { model: bpe, pre_tokenizer: split('(a+)+$') }],
    [
      'a normalizer that does',
      {
        model: bpe,
        normalizer: {
          type: 'Replace',
          pattern: { Regex: '^(([a-z])+.)+[A-Z]([a-z])+$' },
          content: '',
        },
      },
    ],
    ['a pattern that is none', { model: bpe, pre_tokenizer: split('(((') }],
    ['ids between numbers', { model: { ...bpe, vocab: { a: 0.5, b: -1, ab: 1e18 } } }],
    ['ids that are texts', { model: { ...bpe, vocab: { a: 'x', b: 'y', ab: 'z' } } }],
    [
      'inherited words',
      { model: { ...bpe, vocab: JSON.parse('{"__proto__":1,"toString":2}') as object } },
    ],
    ['merges of nothing', { model: { ...bpe, merges: [null, 3, ['a']] } }],
    ['an added token below 0', { model: bpe, added_tokens: [{ id: -5, content: 'a' }] }],
    [
      'a special token that is not there',
      {
        model: bpe,
        post_processor: {
          type: 'TemplateProcessing',
          single: [{ SpecialToken: { id: 'no' } }],
          special_tokens: {},
        },
      },
    ],
    [
      'five million letters in front',
      { model: bpe, normalizer: { type: 'Prepend', prepend: 'a'.repeat(5e6) } },
    ],
  ])('with %s is refused in one line', async (_, content) => {
    const parts = { added_tokens: [], decoder: null, normalizer: null, pre_tokenizer: null }
    const isObject = content !== null && typeof content === 'object' && !Array.isArray(content)
    const whole = isObject ? { ...parts, post_processor: null, ...content } : content
    const file = await written('crafted.json', JSON.stringify(whole))
    const encode = async (): Promise<number[]> =>
      (await loadTokenizer(file, clip))(`${'a'.repeat(40)}!`)
    await expect(encode()).rejects.toMatchObject({
      code: 'bad-tokenizer',
      message: expect.stringMatching(/^[^\n]{20,400}$/) as string,
    })
  })
})
