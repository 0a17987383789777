import { describe, expect, it } from 'vitest'
import { matchingRows, findModelRow, parseFilter, testbedRows } from '../../src/models/listing.ts'
import { modelNames } from '../../src/models/catalog.ts'
import { modelSheet, modelTable } from '../../src/report/tables/modelTable.ts'

const rows = testbedRows()
const where = (text: string): string[] => {
  const { test } = parseFilter(text)
  return rows.filter(test).map(({ model }) => model)
}

describe('filters', () => {
  it('compare text by part or pattern, numbers by size', () => {
    expect(where('evaluation=zero-shot')).toHaveLength(18)
    expect(where('group=regnetx')).toHaveLength(9)
    expect(where('model=clip:ViT-L*')).toHaveLength(3)
    expect(where('parameters<1.7e6')).toEqual([
      ...[
        'dla46_c.in1k',
        'dla46x_c.in1k',
        'edgenext_xx_small.in1k',
        'mobilenetv3_small_050.lamb_in1k',
      ],
    ])
    expect(where('images>=2.32e9')).toHaveLength(5)
    expect(where('images>2.32e9')).toEqual([])
    expect(where('input=106')).toEqual(['tinynet_e.in1k'])
  })

  it('name what they do not understand', () => {
    expect(() => parseFilter('depth=3')).toThrow('unknown field: depth; nearest:')
    expect(() => parseFilter('parameters<few')).toThrow('takes a number, not few')
    expect(() => parseFilter('parameters=few')).toThrow('takes a number, not few')
    expect(() => parseFilter('licence<mit')).toThrow('licence is text, ask with =')
    expect(() => parseFilter('parameters')).toThrow('field=value')
  })
})

describe('rows', () => {
  it.each([
    ['resnet50.a2_in1k', 'ResNet'],
    ['clip:ViT-B-16-SigLIP2/webli', 'CLIP'],
    ['regnetx_002.pycls_in1k', 'RegNetX'],
    ['regnety_008.pycls_in1k', 'RegNet'],
    ['mobilenetv3_large_100.ra_in1k', 'MobileNet-V3'],
    ['mobilenetv4_conv_small.e1200_r224_in1k', 'efficientnet'],
    ['eva02_tiny_patch14_336.mim_in22k_ft_in1k', 'eva'],
    ['swin_tiny_patch4_window7_224.ms_in1k', 'swin'],
  ])('of %s is in the group %s', (model, group) => {
    expect(findModelRow(model)!.group).toBe(group)
  })

  it('no group is spelled in two ways', () => {
    const groups = new Set(modelNames().map(name => findModelRow(name)!.group))
    expect(new Set([...groups].map(group => group.toLowerCase())).size).toBe(groups.size)
  })

  it('are found by part of a name, pattern or alias', () => {
    expect(matchingRows('resnet18*').map(({ model }) => model)).toContain('resnet18.a1_in1k')
    expect(matchingRows('augmix').map(({ alias }) => alias)).toEqual([
      'resnet50augmix',
      'resnet50deepaugmix',
    ])
    expect(() => matchingRows('resnet999')).toThrow('unknown model: resnet999')
  })

  it('show one model in full under any of its names', () => {
    expect(findModelRow('SEER320')).toEqual(findModelRow('seer320.in1k'))
    expect(findModelRow('seer')).toBeUndefined()
    const sheet = modelSheet(findModelRow('resnet50anti')!)
    expect(sheet).toContain('cad66808.pth')
    expect(sheet).toMatch(/^licence +cc-by-nc-sa-4\.0$/m)
    expect(modelSheet(findModelRow('resnet18.a1_in1k')!)).not.toMatch(/in the paper|logit scale/)
    expect(modelSheet(findModelRow('clip:ViT-B-32/openai')!)).toMatch(
      /^logit scale +100, no bias$/m,
    )
    expect(modelSheet(findModelRow('clip:ViT-B-16-SigLIP/webli')!)).toMatch(
      /^logit scale +exp\(logit_scale\) of the weights; their logit_bias is added$/m,
    )
  })

  it('have every field in JSON', () => {
    const [first] = JSON.parse(modelTable(rows.slice(0, 1), 'json')) as Record<string, unknown>[]
    expect(first).toMatchObject({ alias: 'eva-clip', images: 413_000_000 })
    expect(first!.weights).toMatch(/^hub: timm\/eva_giant/)
  })
})
