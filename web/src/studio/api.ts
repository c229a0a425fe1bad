/** What the studio's server takes and gives: the types of its API, and a function for each call that the page makes. */

import type { Model } from '../lib/server/api';
import type { Server } from '../lib/server/server.svelte';

export type Kind = 'photos' | 'table';

export interface Class {
  name: string;
  n: number;
}

export interface Summary {
  id: string;
  name: string;
  kind: Kind;
  n_examples: number | null; // null: nobody has counted them yet
  classes: Class[];
  run: Run | null;
  damaged: string | null; // why it cannot be opened, and what to do
}

export interface Details {
  id: string;
  name: string;
  kind: Kind;
  classes: Class[];
  table: Table | null;
  runs: Run[];
  exports: Export[];
  can_train: boolean;
  why_not: string | null;
  changed?: boolean; // since the last training
}

export interface Photo {
  id: string;
  name: string;
  class: string;
}

export interface Added {
  added: Photo[];
  refused: { name: string; error: string }[];
  already: { name: string; class: string }[]; // and the class that it is in
}

export interface Guess {
  task: string;
  title: string;
  text: string | string[] | null;
  text2: string | null;
  image: string | null;
  label: string | null;
  labels: string[] | null;
  notes: string[];
}

export interface Table {
  columns: string[];
  rows: unknown[][];
  n_rows: number;
  classes: Class[];
  chosen?: Partial<Record<'text' | 'text2' | 'label', string | string[] | null>>; // by the user
  guess: Guess | null;
  error: string | null;
}

export type Status = 'queued' | 'running' | 'done' | 'failed' | 'stopped';

export interface Headline {
  key: string;
  value: number;
  n: number; // tested on
  interval: [number, number] | null;
}

/** A training as it is listed. */
export interface Run {
  id: number;
  status: Status;
  error: string | null;
  headline: Headline | null;
}

/** How far a training is, and what came of it. */
export interface RunState extends Run {
  step: string | null;
  text: string; // what goes on in the step
  share: number | null; // of the whole
  seconds_left: number | null;
  steps: { name: string; seconds: number }[];
  waits_for: number; // trainings before it
  waits_behind: string | null; // the project of the first of them
  stopping: boolean;
  notes: string[];
  result: Result | null;
  files: { report: string | null }; // its address, for a frame
}

/** What the page reads of what `headstart fit --json` says; other tasks lack some of it. */
export interface Result {
  task: string;
  n_train: number;
  n_test: number;
  accuracy?: number;
  accuracy_interval?: [number, number];
  majority_class?: string;
  majority_accuracy?: number;
  mae?: number;
  mae_interval?: [number, number];
  exact_match?: number;
  exact_match_interval?: [number, number];
  baseline?: { mean?: number; mae?: number; labels?: string[] };
  per_label?: { name: string; precision: number; recall: number; count: number }[];
  confusion?: { classes: string[]; rows: number[][] };
  warnings: { kind: string; text: string }[];
  seconds: Record<string, number>;
}

export interface Finding {
  kind: string;
  where: string;
  reason: string;
  photo: string | null;
  text: string | null;
  label: string | null;
  suggestion: string | null;
  other: { photo: string | null; text: string | null; label: string | null } | null;
}

export interface Check {
  status: Status | 'none';
  share: number | null;
  seconds_left: number | null;
  error?: string | null;
  result: {
    n: number;
    table: string | null; // that was looked at
    findings: Finding[];
    notes: string[];
    warnings: { text: string }[];
    changed: boolean; // the examples, since
  } | null;
}

/** How what was removed is called, to bring it back. */
export interface Removed {
  undo?: string | null;
}

export type Change =
  | { where: string; label: string }
  | { photo: string; label: string }
  | { where: string; remove: true }
  | { photo: string; remove: true };

export interface Export {
  id: number;
  run?: number;
  format: string;
  status: Status;
  share: number | null;
  proof: Record<string, unknown> | null;
  error: string | null;
  size: number | null;
  download: string | null;
  page?: string | null; // the address of a web page, to look at it
}

export const isOver = (status: string): boolean => status !== 'queued' && status !== 'running';

const PROJECTS = 'api/projects';
const PAGE = 100; // photos a request

/** The address of a project, or of something of it. */
function at(project: string, ...parts: (string | number)[]): string {
  return [PROJECTS, ...[project, ...parts].map((part) => encodeURIComponent(part))].join('/');
}

export class Api {
  constructor(readonly server: Server) {}

  projects(): Promise<{ projects: Summary[]; folder: string }> {
    return this.server.get(PROJECTS);
  }

  create(name: string, kind: Kind): Promise<{ id: string }> {
    return this.server.post(PROJECTS, { name, kind });
  }

  rename(project: string, name: string): Promise<unknown> {
    return this.server.send('PATCH', at(project), { name });
  }

  remove(project: string): Promise<unknown> {
    return this.server.send('DELETE', at(project));
  }

  details(project: string): Promise<Details> {
    return this.server.get(at(project));
  }

  addClass(project: string, name: string): Promise<unknown> {
    return this.server.post(at(project, 'classes'), { name });
  }

  renameClass(project: string, from: string, name: string): Promise<unknown> {
    return this.server.send('PATCH', at(project, 'classes', from), { name });
  }

  removeClass(project: string, name: string): Promise<Removed> {
    return this.server.send('DELETE', at(project, 'classes', name));
  }

  addPhotos(project: string, name: string, files: readonly File[]): Promise<Added> {
    const body = new FormData();
    files.forEach((file) => body.append('files', file, file.name));
    return this.server.post(`${at(project, 'photos')}?class=${encodeURIComponent(name)}`, body);
  }

  photos(project: string, name: string, offset: number, limit = PAGE): Promise<{ total: number; photos: Photo[] }> {
    const query = new URLSearchParams({ class: name, offset: String(offset), limit: String(limit) });
    return this.server.get(`${at(project, 'photos')}?${query}`);
  }

  picture(project: string, photo: string, side: number): string {
    return `${at(project, 'photos', photo, 'picture')}?side=${side}`;
  }

  movePhotos(project: string, ids: readonly string[], to: string): Promise<unknown> {
    return this.server.send('PATCH', at(project, 'photos'), { ids, class: to });
  }

  removePhotos(project: string, ids: readonly string[]): Promise<Removed> {
    return this.server.send('DELETE', at(project, 'photos'), { ids });
  }

  /** What was removed at once is where it was. */
  bringBack(project: string, undo: string): Promise<unknown> {
    return this.server.post(at(project, 'photos', 'back'), { undo });
  }

  addTable(project: string, file: File): Promise<Table> {
    const body = new FormData();
    body.append('files', file, file.name);
    return this.server.post(at(project, 'table'), body);
  }

  readTable(project: string, columns: Record<string, string | string[] | null>): Promise<Table> {
    return this.server.send('PATCH', at(project, 'table'), columns);
  }

  check(project: string): Promise<Check> {
    return this.server.get(at(project, 'check'));
  }

  startCheck(project: string): Promise<unknown> {
    return this.server.post(at(project, 'check'));
  }

  /** undo: rows of a table as they were. */
  change(project: string, changes: readonly Change[], table: string | null, undo = false): Promise<Removed> {
    return this.server.post(at(project, 'labels'), { changes, undo, ...(table === null ? {} : { table }) });
  }

  train(project: string, budget: string): Promise<Run> {
    return this.server.post(at(project, 'runs'), { budget });
  }

  run(project: string, run: number): Promise<RunState> {
    return this.server.get(at(project, 'runs', run));
  }

  runEvents(project: string, run: number, signal: AbortSignal): AsyncGenerator<RunState> {
    return this.server.events(`${at(project, 'runs', run)}/events`, signal);
  }

  stop(project: string, run: number): Promise<unknown> {
    return this.server.post(at(project, 'runs', run, 'stop'));
  }

  removeRun(project: string, run: number): Promise<unknown> {
    return this.server.send('DELETE', at(project, 'runs', run));
  }

  model(project: string): Promise<Model> {
    return this.server.get(at(project, 'model'));
  }

  correctAt(project: string): string {
    return at(project, 'correct');
  }

  startExport(project: string, run: number, format: string): Promise<Export> {
    return this.server.post(at(project, 'exports'), { run, format });
  }

  exported(project: string, id: number): Promise<Export> {
    return this.server.get(at(project, 'exports', id));
  }
}
