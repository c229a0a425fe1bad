/** What `model.json` says, and the prediction that outputs mean by it. */

import type { Row, Scored } from '../lib/predictions';

export interface Facts {
  task: string;
  name: string;
  model: string;
  licence: string;
  outputs: 'probabilities' | 'values';
  exclusive: boolean; // one class of all; false: any number of labels
  classes: string[];
  thresholds: number[] | null;
  interval: { half_width: number; holds: number } | null;
  images: { draft: number } | null;
  texts: { max_length: number; prefix: string; pad_id: number; pair: boolean } | null;
  made_by: string;
}

const TOP = 5;

/** The outputs of one input as `headstart predict --json` has them. */
export function rowOf(outputs: readonly number[], facts: Facts): Row {
  if (facts.outputs === 'values') {
    const [value = NaN] = outputs;
    const { half_width: width, holds } = facts.interval ?? { half_width: 0, holds: 0 };
    return facts.interval ? { value, interval: [value - width, value + width], coverage: holds } : { value };
  }
  const ranked: (Scored & { threshold: number })[] = facts.classes
    .map((label, index) => ({ label, probability: outputs[index] ?? 0, threshold: facts.thresholds?.[index] ?? 0.5 }))
    .sort((a, b) => b.probability - a.probability);
  const top = ranked.slice(0, TOP);
  if (facts.exclusive) return { label: top[0]?.label ?? '', top };
  return { labels: ranked.filter((each) => each.probability >= each.threshold), top };
}
