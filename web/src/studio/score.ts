/** How good a model is, in words that take no course in statistics. */

import { number } from '../lib/predictions';
import { isOver, type Headline, type Result, type Run } from './api';

export interface Score {
  main: string;
  range: string;
  baseline: string;
}

export interface Confusion {
  is: string;
  taken: string;
  n: number;
  of: number;
}

const FEW = 100; // tested on fewer, it is said of how many
const CONFUSED = 5;
const SHARES: Record<string, string> = { accuracy: 'right on', exact_match: 'all right on' }; // scores that are such

/** A share as so many of a hundred; 0 and 100 are said of nothing that is merely close. */
export function hundredths(share: number): string {
  if (share > 0 && share < 0.005) return 'fewer than 1';
  if (share < 1 && share >= 0.995) return 'more than 99';
  return String(Math.round(100 * share));
}

/** A share of what was tested: where that is few, of how many. */
export function part(share: number, n: number): string {
  return n < FEW ? `${Math.round(share * n)} of ${n}` : `${hundredths(share)} of 100`;
}

/** What it was tested on. */
export function nouns(task: string): string {
  if (task === 'question-answering') return 'questions';
  return task.startsWith('image-') ? 'photos' : task.startsWith('text-pair-') ? 'pairs of texts' : 'texts';
}

export function scoreOf(result: Result): Score {
  const what = nouns(result.task);
  if (result.accuracy !== undefined) {
    return shared(result, 'Right on', result.accuracy, result.accuracy_interval, what, guessing(result));
  }
  if (result.exact_match !== undefined) {
    const start = result.per_label ? 'All labels right on' : 'Exactly right on';
    return shared(result, start, result.exact_match, result.exact_match_interval, what, finding(result));
  }
  if (result.mae !== undefined) {
    const [low, high] = result.mae_interval ?? [result.mae, result.mae];
    const { mean, mae } = result.baseline ?? {};
    return {
      main: `Off by ${number(result.mae)} on average`,
      range: `Between ${number(low)} and ${number(high)} is to be expected: it was tested on ${count(result.n_test)} ${what} that it had not seen.`,
      baseline: mean === undefined || mae === undefined ? '' : `Always saying ${number(mean)} would be off by ${number(mae)}.`,
    };
  }
  return { main: 'It is trained', range: 'The full report says how good it is.', baseline: '' };
}

function shared(
  result: Result,
  start: string,
  share: number,
  interval: [number, number] | undefined,
  what: string,
  baseline: string,
): Score {
  const main = `${start} ${part(share, result.n_test)} new ${what}`;
  const between = interval && `${hundredths(interval[0])} and ${hundredths(interval[1])}`;
  const tested = `it was tested on ${count(result.n_test)} ${what} that it had not seen`;
  const range = between ? `Expect between ${between} of 100: ${tested}.` : `${tested[0]?.toUpperCase()}${tested.slice(1)}.`;
  return { main, range, baseline };
}

function guessing({ majority_class: name, majority_accuracy: share }: Result): string {
  return name === undefined || share === undefined
    ? ''
    : `Always guessing ‘${name}’ would be right on ${hundredths(share)} of 100.`;
}

export interface Found {
  name: string;
  found: number;
  of: number;
  said: number; // how often it gives the label
}

/** How well each label is found, where there are several of an example; the most frequent first. */
export function labelsFound({ per_label }: Result): Found[] {
  const all = (per_label ?? []).map(({ name, precision, recall, count: of }) => {
    const found = Math.round(recall * of);
    return { name, found, of, said: precision > 0 ? Math.round(found / precision) : 0 };
  });
  return all.sort((a, b) => b.of - a.of);
}

function finding(result: Result): string {
  const all = labelsFound(result);
  const sum = (each: readonly Found[], what: 'found' | 'of') => each.reduce((total, one) => total + one[what], 0);
  const always = result.baseline?.labels ?? [];
  if (!all.length) return '';
  const without = always.length
    ? ` Always saying ${always.map((name) => `‘${name}’`).join(' and ')} would find ${sum(all.filter(({ name }) => always.includes(name)), 'of')}.`
    : '';
  return `It finds ${sum(all, 'found')} of the ${sum(all, 'of')} labels that there are.${without}`;
}

/** What a training says beside the one before it, whose test was on other examples; empty: there is nothing to say. */
export function beside(now: Headline | null, before: Headline | null, what: string): string {
  if (!now?.interval || !before?.interval || now.key !== before.key || !(now.key in SHARES)) return '';
  const [[low, high], [lowBefore, highBefore]] = [now.interval, before.interval];
  const was = `The training before was right on ${part(before.value, before.n)}.`;
  if (low > highBefore) return `${was} This one is better.`;
  if (high < lowBefore) return `${was} This one is worse.`;
  return `${was} That is no real difference: each is tested on other ${what}, and a few more or less are chance.`;
}

/** The classes that are most taken for others. */
export function confusions({ confusion }: Result): Confusion[] {
  if (!confusion) return [];
  const { classes, rows } = confusion;
  const all = rows.flatMap((row, i) =>
    row.flatMap((n, j) => {
      const of = row.reduce((sum, each) => sum + each, 0);
      return n > 0 && i !== j ? [{ is: classes[i] ?? '', taken: classes[j] ?? '', n, of }] : [];
    }),
  );
  return all.sort((a, b) => b.n - a.n || b.n / b.of - a.n / a.of).slice(0, CONFUSED);
}

/** A score in a few words, for a card or a step; of scores that take more than a few, that it is trained. */
export function brief({ key, value, n }: Headline): string {
  if (key === 'mae') return `off by ${number(value)} on average`;
  const start = SHARES[key];
  return start === undefined ? 'trained' : `${start} ${part(value, n)}`;
}

/** How a run stands, in a few words; empty: there is nothing to say. */
export function stands(run: Run): string {
  if (run.status === 'queued') return 'waits for its turn';
  if (!isOver(run.status)) return 'training';
  if (run.status === 'failed') return 'it did not work';
  if (run.status === 'stopped') return 'stopped';
  return run.headline ? brief(run.headline) : 'trained';
}

export function count(n: number): string {
  return n.toLocaleString('en-GB');
}

/** "1 photo", "2 photos". */
export function many(n: number, one: string, several: string = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : several}`;
}

/** A time to wait, as people say it. */
export function wait(seconds: number): string {
  if (seconds < 5) return 'a few seconds';
  if (seconds < 55) return `about ${5 * Math.ceil(seconds / 5)} seconds`;
  const minutes = Math.round(seconds / 60) || 1;
  return minutes < 60 ? `about ${many(minutes, 'minute')}` : `about ${many(Math.round(minutes / 60), 'hour')}`;
}
