/** What `model.json` says, and the prediction that outputs mean by it. */

import type { Row, Scored } from '../lib/predictions';
import type { TextFacts } from './texts';

export interface Facts {
  task: string;
  name: string;
  model: string;
  licence: string;
  outputs: 'probabilities' | 'values';
  exclusive: boolean; // one class of all; false: any number of labels
  classes: string[];
  thresholds: number[] | null;
  decision: { class: string; from: number } | null; // of two classes, one is answered from a probability on
  interval: { half_width: number; holds: number } | null;
  images: { draft: number } | null;
  texts: TextFacts | null;
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
  if (facts.exclusive) return { label: decided(ranked, facts), top };
  return { labels: ranked.filter((each) => each.probability >= each.threshold), top };
}

function decided(ranked: readonly Scored[], { decision }: Facts): string {
  const asked = decision && ranked.find((each) => each.label === decision.class);
  if (!asked) return ranked[0]?.label ?? '';
  if (asked.probability >= decision.from) return asked.label;
  return ranked.find((each) => each !== asked)?.label ?? '';
}
