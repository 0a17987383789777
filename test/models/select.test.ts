import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { selectModels } from '../../src/models/select.ts'

describe('selectModels', () => {
  it('knows the testbed, its families and patterns', async () => {
    expect(await selectModels(['testbed'])).toHaveLength(98)
    const clip = await selectModels(['family:clip'])
    expect(clip.length).toBeGreaterThanOrEqual(17)
    expect(clip).toContain('clip:ViT-B-32-quickgelu/openai')
    const resnets = await selectModels(['resnet*'])
    expect(resnets.every(name => name.includes('resnet'))).toBe(true)
    expect(await selectModels(['resnet*', resnets[0]!])).toEqual(resnets)
  })

  it('leaves models without classes out of a pattern unless there are no others', async () => {
    expect(await selectModels(['vit_so400m_patch14_siglip_378*'])).toEqual([
      'vit_so400m_patch14_siglip_378.webli_ft_in1k',
    ])
    expect(await selectModels(['vit_small_patch14_dinov2.*'])).toEqual([
      'vit_small_patch14_dinov2.lvd142m',
    ])
  })

  it('reads lists with comments and refuses unknown families', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'geogap-select-'))
    const file = join(folder, 'list.txt')
    await writeFile(
      file,
      '\ufeff# three\r\nresnet18\r\n\r\nlcnet_050 # small\r\nruns#2/model.json\r\n',
    )
    expect(await selectModels([`@${file}`])).toEqual(['resnet18', 'lcnet_050', 'runs#2/model.json'])
    await writeFile(file, `resnet18\n@${file}\n`)
    await expect(selectModels([`@${file}`])).rejects.toThrow(`the list ${file} names itself`)
    await rm(folder, { recursive: true })
    await expect(selectModels([`@${file}`])).rejects.toThrow(`missing file: ${file}`)
    await expect(selectModels(['family:resnot'])).rejects.toThrow(
      /unknown family: resnot; there are clip,/,
    )
  })
})
