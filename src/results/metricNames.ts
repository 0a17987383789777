/** Names of the metrics that are a mean over images; `outcomeMetrics.ts` tells how they are computed. */
export const outcomeMetricNames = ['top1', 'top5', 'mrr', 'probability'] as const
export type OutcomeMetricName = (typeof outcomeMetricNames)[number]

/** Names of the metrics of groups that are no mean over images. */
export const groupMetricNames = [
  'macro',
  'calibration',
  'worst',
  'cvar',
  'recall',
  'confusion',
  'adjusted',
  'shrunken',
  'income',
] as const
export type GroupMetricName = (typeof groupMetricNames)[number]
