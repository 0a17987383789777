/** Rows of table 3 and the testbed's names for them, the baseline first. */
export const interventionModels: Readonly<Record<string, string>> = {
  baseline: 'resnet50cutmixbaseline',
  'deep AugMix': 'resnet50deepaugmix',
  'texture debiased': 'resnet50texture',
  'anti-aliased': 'resnet50anti',
  AugMix: 'resnet50augmix',
  CutMix: 'resnet50cutmix',
}
