/** What a model is asked about. */

export interface Pair {
  text: string;
  text2: string;
}

export interface AskedText {
  question: string;
  context: string;
}

export type Input = string | File | Pair | AskedText;

/** An input, and the words that it is listed under. */
export interface Given {
  input: Input;
  title: string;
}
