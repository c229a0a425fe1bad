/** What the check finds, in words that need no course: a row a kind. */

import type { Change, Finding } from './api';

export interface Words {
  title: string;
  words: string;
  removes: boolean; // whether all of them can go at once
}

const KINDS: Record<string, Words> = {
  'doubtful-label': {
    title: 'Perhaps in the wrong class',
    words: 'By what the others look like, these may belong elsewhere. You know better than the computer: look at them.',
    removes: false,
  },
  'conflicting-labels': {
    title: 'The same example in two classes',
    words: 'These are the same, or nearly, and are said to be different things.',
    removes: false,
  },
  'look-alike': {
    title: 'Very much alike',
    words: 'Perhaps two of one thing or moment. Then one of them is enough: with the other in the test, the score looks better than it is.',
    removes: false,
  },
  duplicate: {
    title: 'Copies',
    words: 'The very same example, more than once. That does no harm; they can go.',
    removes: true,
  },
  'near-duplicate': {
    title: 'Nearly the same',
    words: 'Such as two pictures of one moment. That does no harm; they are never used to test what they taught.',
    removes: true,
  },
  excerpt: {
    title: 'Parts of another text',
    words: 'These texts are cut from a longer one that is there too.',
    removes: true,
  },
  outlier: {
    title: 'Unlike all the others',
    words: 'Perhaps these got in by mistake.',
    removes: false,
  },
  unreadable: {
    title: 'Cannot be opened',
    words: 'These are left out. They may be broken, or not what their name says.',
    removes: true,
  },
  'blank-text': { title: 'Empty', words: 'There is nothing to learn from these; they are left out.', removes: true },
  tiny: { title: 'Very small pictures', words: 'There may be too little to see in these.', removes: false },
  'odd-length': { title: 'Much longer or shorter than the others', words: 'Perhaps something else got in.', removes: false },
  'unknown-characters': {
    title: 'In characters that the model does not know',
    words: 'To the computer these look all the same.',
    removes: false,
  },
  'small-class': {
    title: 'Few examples',
    words: 'Of these classes there are so few examples that little can be learned. Add some if you can.',
    removes: false,
  },
  'confused-classes': { title: 'Hard to tell apart', words: 'These classes are easily taken for one another.', removes: false },
  leak: {
    title: 'In the test and in what it learned from',
    words: 'The score will look better than it is, because the test has examples that are already known.',
    removes: true,
  },
};

export interface Group extends Words {
  kind: string;
  findings: Finding[];
}

/** The findings by kind, those that are most worth a look first; kinds without words of their own come last. */
export function groups(findings: readonly Finding[]): Group[] {
  const kinds = new Map<string, Finding[]>();
  for (const finding of findings) kinds.set(finding.kind, [...(kinds.get(finding.kind) ?? []), finding]);
  const order = Object.keys(KINDS);
  const place = (kind: string) => (order.indexOf(kind) + 1 || order.length + 1);
  return [...kinds]
    .sort(([a], [b]) => place(a) - place(b))
    .map(([kind, findings]) => ({ ...(KINDS[kind] ?? unknown(kind)), kind, findings }));
}

function unknown(kind: string): Words {
  const words = kind.replaceAll('-', ' ');
  return { title: `${words[0]?.toUpperCase() ?? ''}${words.slice(1)}`, words: '', removes: false };
}

/** What is odd about one, in words; empty: the words for all of its kind say it. */
export function reasonOf(finding: Finding): string {
  const { kind, label, suggestion, other, where, reason } = finding;
  if (kind === 'outlier') return '';
  if (kind === 'doubtful-label' && label && suggestion) return `It is in ‘${label}’, and looks more like ‘${suggestion}’.`;
  if (other?.photo) return '';
  if (other?.text) return where;
  return `${where.replace(/-[0-9a-f]{16}(?=\.\w+$)/, '')}: ${reason}`;
}

export const keyOf = (finding: Finding): string => `${finding.kind} ${finding.photo ?? finding.where}`;

/** A finding that names one example can be acted on. */
export const isExample = (finding: Finding): boolean => finding.photo !== null || finding.text !== null;

export function relabel(finding: Finding, label: string): Change {
  return finding.photo === null ? { where: finding.where, label } : { photo: finding.photo, label };
}

export function remove(finding: Finding): Change {
  return finding.photo === null ? { where: finding.where, remove: true } : { photo: finding.photo, remove: true };
}
