/** How far each step of a project is, in a word or two. */

import type { Details, Run } from './api';
import type { Project } from './project.svelte';
import type { Step } from './route.svelte';
import { brief, count, many } from './score';

export type State = 'open' | 'done' | 'busy' | 'later';

export interface Ready {
  state: State;
  words: string;
}

export function readyOf(project: Project, details: Details): Record<Step, Ready> {
  const later: Ready = { state: 'later', words: 'after training' };
  const exported = project.exports.filter((each) => each.status === 'done').length;
  return {
    examples: examples(project, details),
    check: checked(project, details),
    train: trained(project, details),
    try: project.trained ? { state: 'open', words: 'ready' } : later,
    share: !project.trained
      ? later
      : exported
        ? { state: 'done', words: `${exported} made` }
        : { state: 'open', words: 'ready' },
  };
}

function examples(project: Project, details: Details): Ready {
  const n = details.kind === 'table' ? (details.table?.n_rows ?? 0) : details.classes.reduce((sum, each) => sum + each.n, 0);
  const words = details.kind === 'table' ? many(n, 'row') : many(n, 'photo');
  if (project.uploads.active) return { state: 'busy', words: `adding ${count(project.uploads.total)}` };
  if (n === 0) return { state: 'open', words: 'none yet' };
  return details.can_train ? { state: 'done', words } : { state: 'open', words: 'more needed' };
}

function checked(project: Project, details: Details): Ready {
  if (project.checking) return { state: 'busy', words: 'looking' };
  const result = project.check?.result;
  if (result) {
    const n = result.findings.length;
    if (result.changed) return { state: 'open', words: 'look again' };
    return { state: 'done', words: n ? `${count(n)} to look at` : 'nothing odd' };
  }
  return details.can_train ? { state: 'open', words: 'if you like' } : { state: 'later', words: 'after examples' };
}

function trained(project: Project, details: Details): Ready {
  const { training, trained } = project;
  if (training) return { state: 'busy', words: going(training) };
  if (trained) return { state: 'done', words: trained.headline ? brief(trained.headline) : 'done' };
  return details.can_train ? { state: 'open', words: 'ready' } : { state: 'later', words: 'after examples' };
}

function going(run: Run): string {
  return run.status === 'queued' ? 'waiting' : 'under way';
}
