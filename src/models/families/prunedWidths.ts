/**
 * The widths of networks that were pruned after training (Aflalo et al. 2020), from the lists in timm's _pruned folder. A
 * line is a stage: its channels, then for each block the channels of its expansion and of its gate (EfficientNet), or of
 * its first and second convolution (ResNet).
 */
export interface PrunedStage {
  out: number
  blocks: readonly (readonly [first: number, second: number])[]
}

const stagesOf = (lines: readonly string[]): readonly PrunedStage[] =>
  lines.map(line => {
    const [out, blocks] = line.split(': ') as [string, string]
    const pairs = blocks.split(' ').map(pair => pair.split('/').map(Number) as [number, number])
    return { out: Number(out), blocks: pairs }
  })

export const prunedStages = {
  b1: stagesOf([
    '16: 32/8 16/4',
    '12: 48/4 62/6 48/6',
    '35: 70/6 61/10 51/10',
    '74: 175/10 188/20 137/20 164/20',
    '67: 399/20 201/28 160/28 213/28',
    '192: 637/27 806/48 798/48 891/48 990/48',
    '320: 1152/48 1912/80',
  ]),
  b2: stagesOf([
    '16: 32/8 16/4',
    '17: 54/4 69/6 61/6',
    '42: 86/6 72/12 98/12',
    '85: 245/12 274/22 254/22 292/22',
    '116: 502/22 315/30 354/30 443/30',
    '208: 719/30 1148/52 1160/52 1182/52 1228/52',
    '352: 1248/52 2112/88',
  ]),
  b3: stagesOf([
    '24: 40/10 24/6',
    '12: 27/6 49/8 48/8',
    '40: 83/8 90/12 85/12',
    '93: 215/12 261/24 219/24 254/24 236/24',
    '120: 480/24 235/34 217/34 226/33 340/34',
    '232: 802/34 1030/58 924/58 1016/58 1130/58 1266/58',
    '384: 1392/58 2301/96',
  ]),
  resnet50: stagesOf([
    '19: 47/18 52/22 64/35',
    '171: 85/37 107/80 120/85 125/87',
    '818: 198/126 255/232 256/233 253/235 256/225 256/239',
    '2022: 492/237 512/500 512/490',
  ]),
  resnet101: stagesOf([
    '26: 45/25 53/20 60/27',
    '142: 81/24 93/49 102/54 122/78',
    '278: 101/25 239/160 234/156 250/176 253/191 251/175 230/128 244/154 244/159 238/97 ' +
      '244/149 253/181 245/119 255/216 256/201 253/149 254/141 256/190 256/217 255/156 ' +
      '256/155 256/232 256/214',
    '2042: 499/289 512/512 512/502',
  ]),
} as const
