/** What was asked of a model, the newest first, and what has come of it. */

import type { Row } from '../lib/predictions';
import { predict, type Input, type Model } from './api';
import type { Server } from './server.svelte';

const AT_ONCE = 3; // the server collects what waits

export class Question {
  row = $state<Row | null>(null);
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

  constructor(
    readonly server: Server,
    readonly model: Model,
    readonly careful: () => number | null,
  ) {}

  ask(inputs: { input: Input; title: string }[]): void {
    const added = inputs.map(({ input, title }) => new Question(++this.#count, input, title));
    this.questions = [...added, ...this.questions];
    this.#waiting.push(...added);
    while (this.#running < Math.min(AT_ONCE, this.#waiting.length + this.#running) && this.#waiting.length) void this.#next();
  }

  remove(question: Question): void {
    this.questions = this.questions.filter((each) => each !== question);
    this.#waiting = this.#waiting.filter((each) => each !== question);
    if (question.picture) URL.revokeObjectURL(question.picture);
  }

  clear(): void {
    this.questions.forEach((question) => this.remove(question));
  }

  async #next(): Promise<void> {
    this.#running++;
    for (let question = this.#waiting.shift(); question; question = this.#waiting.shift()) {
      try {
        question.row = await predict(this.server, this.model.name, question.input, this.careful());
      } catch (error) {
        question.problem = (error as Error).message;
      }
      if (!this.#waiting.length) this.message = this.questions.length === 1 ? 'Answered' : 'All answered';
    }
    this.#running--;
  }
}
