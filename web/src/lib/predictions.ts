/** What a model says of one input, as `headstart predict --json` and the server write it, and the words for it. */

export interface Scored {
  label: string;
  probability: number;
}

export interface Answer {
  answer: string;
  confidence: number;
  start?: number;
  end?: number;
  context?: number;
  sentence?: string;
  offset?: number;
}

export interface Row extends Partial<Answer> {
  input?: string;
  error?: string;
  label?: string;
  top?: Scored[];
  labels?: Scored[];
  value?: number;
  interval?: [number, number];
  coverage?: number;
  set?: (string | number)[];
  unsure?: boolean | null;
  out_of_scope?: boolean | null;
}

export interface Bar extends Scored {
  chosen: boolean;
}

export interface Said {
  headline: string; // empty: the chosen bars say it
  beside: string;
  bars: Bar[];
  cautions: string[];
}

export const NO_ANSWER = 'No answer in this text';
const UNSURE = 'Not sure. This answer may well be wrong.';
const STRANGER = 'Unlike anything it has learned from. The answer may mean nothing.';

/** A prediction in words and bars; what there is to say follows from what the row has. */
export function said(row: Row): Said {
  const cautions = [row.out_of_scope ? STRANGER : '', row.unsure ? UNSURE : ''].filter((caution) => caution !== '');
  return { ...answered(row), cautions };
}

function answered(row: Row): Omit<Said, 'cautions'> {
  if (row.value !== undefined) {
    return { ...valued(row.value, row.interval, row.coverage ?? 0.9), bars: [] };
  }
  if (row.labels !== undefined) {
    const chosen = new Set(row.labels.map((each) => each.label));
    const others = (row.top ?? []).filter((each) => !chosen.has(each.label));
    const bars = [...row.labels.map((each) => bar(each, true)), ...others.map((each) => bar(each, false))];
    return { headline: row.labels.length ? '' : 'None of its labels', beside: '', bars };
  }
  if (row.answer !== undefined) {
    return { headline: row.answer || NO_ANSWER, beside: percent(row.confidence ?? 0), bars: [] };
  }
  const bars = (row.top ?? []).map((each) => bar(each, each.label === row.label));
  const also = (row.set?.length ?? 0) > 1 ? `or: ${row.set?.filter((name) => name !== row.label).join(', ')}` : '';
  return { headline: '', beside: also, bars };
}

function bar(each: Scored, chosen: boolean): Bar {
  return { ...each, chosen };
}

function valued(value: number, interval: [number, number] | undefined, holds: number): Pick<Said, 'headline' | 'beside'> {
  if (!interval) return { headline: number(value), beside: '' };
  const [low, high] = interval;
  // No digits that the width of the interval makes nonsense of.
  const digits = Math.min(20, Math.max(0, 1 - Math.floor(Math.log10((high - low) / 2 || 1))));
  const shown = (each: number) => each.toLocaleString('en-GB', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return { headline: shown(value), beside: `between ${shown(low)} and ${shown(high)} in ${percent(holds)} of cases` };
}

/** A share as people read it; 0 % and 100 % are said of nothing that is merely close. */
export function percent(share: number): string {
  if (share > 0 && share < 0.005) return 'under 1 %';
  if (share < 1 && share >= 0.995) return 'over 99 %';
  return `${Math.round(100 * share)} %`;
}

/** A number with as many digits as a person wants to read. */
export function number(value: number): string {
  return value.toLocaleString('en-GB', { maximumSignificantDigits: 3 });
}

/** What something adds or takes away. */
export function signed(weight: number): string {
  return weight.toLocaleString('en-GB', { maximumFractionDigits: 2, signDisplay: 'exceptZero' }).replace('-', '−');
}
