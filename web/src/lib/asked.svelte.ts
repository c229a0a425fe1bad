/** What was asked of a model, the newest first, and what has come of it. */

import type { Given, Input } from './inputs';
import type { Row } from './predictions';

export class Question {
  row = $state.raw<Row | null>(null);
  problem = $state('');
  readonly picture: string; // the address of a photo's own bytes; empty: it is none

  constructor(
    readonly number: number,
    readonly input: Input,
    readonly title: string,
  ) {
    this.picture = input instanceof File ? URL.createObjectURL(input) : '';
  }
}

export class Asked {
  questions = $state.raw<Question[]>([]);
  message = $state('');
  #waiting: Question[] = [];
  #running = 0;
  #count = 0;

  /** answer: gives the prediction of one input; atOnce: how many may be under way. */
  constructor(
    readonly answer: (input: Input) => Promise<Row>,
    readonly atOnce: number,
  ) {}

  ask(inputs: readonly Given[]): void {
    const added = inputs.map(({ input, title }) => new Question(++this.#count, input, title));
    this.questions = [...added, ...this.questions];
    this.#waiting.push(...added);
    this.message = '';
    for (let free = this.atOnce - this.#running; free > 0 && this.#waiting.length; free--) void this.#work();
  }

  remove(question: Question): void {
    this.questions = this.questions.filter((each) => each !== question);
    this.#waiting = this.#waiting.filter((each) => each !== question);
    if (question.picture) URL.revokeObjectURL(question.picture);
  }

  clear(): void {
    this.questions.forEach((question) => this.remove(question));
  }

  async #work(): Promise<void> {
    this.#running++;
    for (let question = this.#waiting.shift(); question; question = this.#waiting.shift()) {
      try {
        question.row = await this.answer(question.input);
      } catch (error) {
        question.problem = (error as Error).message;
      }
    }
    if (--this.#running === 0) this.message = 'All is answered.';
  }
}
