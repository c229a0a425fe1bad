/** What the server takes and gives: the types of its API, and a function for each call that the page makes. */

import { base64Of } from '../files';
import type { Input } from '../inputs';
import type { Neighbour } from '../Neighbours.svelte';
import type { Answer, Row } from '../predictions';
import type { Word } from '../Words.svelte';
import type { Server } from './server.svelte';

export interface Score {
  key: string;
  title: string;
  value: number;
  interval: [number, number] | null;
}

export interface Model {
  name: string;
  task: string;
  modality: string;
  classes: string[];
  backbone: string;
  licence: string | null;
  score: Score | null;
  can: { explain: boolean; answer: boolean; abstain: boolean; coverage: boolean; feedback: boolean };
}

export interface Explanation {
  prediction: Row;
  target: string | null;
  map?: string | null;
  words?: Word[];
  neighbours: Neighbour[];
  notes: string[];
}

export type Label = string | string[] | number | { answer: string };

export async function models(server: Server): Promise<Model[]> {
  return (await server.get<{ models: Model[] }>('v1/models')).models;
}

/** The prediction of one input; one that cannot be used has an `error`. */
export async function predict(server: Server, model: string, input: Input, abstain: number | null): Promise<Row> {
  const fields = { model, ...(abstain === null ? {} : { abstain }) };
  const body = input instanceof File ? form(input, fields) : { inputs: [input], ...fields };
  const { predictions } = await server.post<{ predictions: Row[] }>('v1/predict', body);
  const [row] = predictions;
  if (!row) throw new Error('The server gave no prediction.');
  return row;
}

export async function explain(server: Server, model: string, input: Input): Promise<Explanation> {
  return server.post('v1/explain', input instanceof File ? form(input, { model }) : { input, model });
}

export async function answer(server: Server, model: string, question: string, context: string): Promise<Answer[]> {
  return (await server.post<{ answers: Answer[] }>('v1/answer', { model, question, context })).answers;
}

/** Keeps what an input should have been, and says so. isNew: the label is none that the model knows. */
export type Correct = (input: Input, label: Label, isNew: boolean) => Promise<string>;

/** Keeps it at an address of the server. */
export async function correct(
  server: Server,
  path: string,
  input: Input,
  label: Label,
  isNew: boolean,
  fields: Record<string, string> = {},
): Promise<void> {
  const given = input instanceof File ? { image: await base64Of(input) } : input;
  await server.post(path, { ...fields, input: given, label, ...(isNew ? { new: true } : {}) });
}

/** Keeps it as feedback; undefined: the server takes none for this model. */
export function feedback(server: Server, model: Model): Correct | undefined {
  if (!model.can.feedback) return undefined;
  return async (input, label, isNew) => {
    await correct(server, 'v1/feedback', input, label, isNew, { model: model.name });
    return 'Thank you. The right answer is stored.';
  };
}

function form(file: File, fields: Record<string, string | number>): FormData {
  const data = new FormData();
  data.append('files', file, file.name);
  for (const [name, value] of Object.entries(fields)) data.append(name, String(value));
  return data;
}
