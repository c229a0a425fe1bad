/** Texts as the numbers of their tokens, as the tokenizers of Python give them. */

import type { Tokenizer } from '@huggingface/tokenizers';

export interface TextFacts {
  max_length: number; // tokens of a row, special ones included
  most_characters: number; // of a text; what is behind them is not looked at
  windows: number; // rows that a text may take
  prefix: string;
  pad_id: number;
  pair: null | 'apart' | 'joined'; // two texts in two rows, or in one
}

export interface Opened {
  tokenizer: Tokenizer;
  lowers: boolean;
}

const HALF = /\p{Surrogate}/gu; // of a character: no tokenizer takes it
const LOWERS = /"lowercase":\s*true|"type":\s*"Lowercase"/; // of a tokenizer.json: it makes all letters small

/** The tokenizer of tokenizer.json; its library is loaded here, since photos need none. */
export async function opened(content: Uint8Array): Promise<Opened> {
  const library = new URL('tokenizers.js', location.href).href;
  const { Tokenizer }: typeof import('@huggingface/tokenizers') = await import(/* @vite-ignore */ library);
  const json = new TextDecoder().decode(content);
  return { tokenizer: new Tokenizer(JSON.parse(json), {}), lowers: LOWERS.test(json) };
}

/** The rows of tokens of one text, or of a pair, special tokens among them. */
export function rowsOf(made: Opened, given: readonly string[], facts: TextFacts): number[][] {
  if (given.some((text) => !text.trim())) throw new Error(given.length > 1 ? 'One of the texts is empty.' : 'The text is empty.');
  const texts = given.map((text) => readable(text, made.lowers, facts));
  const [first = '', second = ''] = texts;
  if (facts.pair === 'joined') return [joined(made.tokenizer, first, second, facts.max_length)];
  if (facts.pair === 'apart') return texts.flatMap((text) => windows(made.tokenizer, text, facts.max_length, 1));
  return windows(made.tokenizer, first, facts.max_length, facts.windows);
}

function readable(text: string, lowers: boolean, { prefix, most_characters: most }: TextFacts): string {
  const cut = Array.from(text).slice(0, most).join('').replace(HALF, '\ufffd');
  // JavaScript has another small sigma at the end of a word, where the tokenizers of Python have one for all places.
  return prefix + (lowers ? cut.replaceAll('Σ', 'σ') : cut);
}

/** A text in pieces of at most so many tokens, one after another, each with the special tokens around it. */
function windows(tokenizer: Tokenizer, text: string, most: number, count: number): number[][] {
  const whole = tokenizer.encode(text).ids;
  if (whole.length <= most) return [whole];
  const bare = bareOf(tokenizer, text);
  const at = place(whole, bare, 0);
  const room = Math.max(1, most - (whole.length - bare.length));
  const starts = Array.from({ length: Math.min(count, Math.ceil(bare.length / room)) }, (_, index) => index * room);
  const [before, after] = [whole.slice(0, at), whole.slice(at + bare.length)];
  return starts.map((start) => [...before, ...bare.slice(start, start + room), ...after]);
}

/** Two texts in one row; where they are too long together, the longer one loses its end, then both. */
function joined(tokenizer: Tokenizer, first: string, second: string, most: number): number[] {
  const whole = tokenizer.encode(first, { text_pair: second }).ids;
  if (whole.length <= most) return whole;
  const [one, other] = [bareOf(tokenizer, first), bareOf(tokenizer, second)];
  const room = Math.max(0, most - (whole.length - one.length - other.length));
  const shorter = Math.min(one.length, other.length, Math.floor(room / 2));
  const longer = room - shorter;
  const [kept, keptOther] = one.length > other.length ? [longer, shorter] : [shorter, longer];
  const at = place(whole, one, 0);
  const atOther = place(whole, other, at + one.length);
  return [
    ...whole.slice(0, at),
    ...one.slice(0, kept),
    ...whole.slice(at + one.length, atOther),
    ...other.slice(0, keptOther),
    ...whole.slice(atOther + other.length),
  ];
}

function bareOf(tokenizer: Tokenizer, text: string): number[] {
  return tokenizer.encode(text, { add_special_tokens: false }).ids;
}

/** Where a text's own tokens begin among all, from a place on. */
function place(whole: readonly number[], bare: readonly number[], from: number): number {
  for (let at = from; at + bare.length <= whole.length; at++) {
    if (bare.every((id, index) => whole[at + index] === id)) return at;
  }
  throw new Error('tokenizer.json puts special tokens within a text, which this page does not know.');
}
