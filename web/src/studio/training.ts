/** The steps of a training in plain words. */

const STEPS: Record<string, string> = {
  queued: 'Waiting for another training to end',
  open: 'Opening',
  read: 'Reading the examples',
  check: 'Checking them',
  split: 'Setting some aside for the test',
  choose: 'Choosing what to start from',
  time: 'Seeing how fast this computer is',
  rank: 'Choosing what to start from',
  reach: 'Fetching what to start from',
  fetch: 'Fetching what to start from',
  encode: 'Looking at every example',
  'encode tuned': 'Looking again, with what was learned',
  adapt: 'Learning',
  tune: 'Learning in depth',
  'learning curve': 'Seeing whether more examples would help',
  evaluate: 'Testing on what it has not seen',
  confidence: 'Learning when to be unsure',
  doubts: 'Looking for doubtful examples',
  save: 'Saving',
};

export function stepInWords(name: string): string {
  return STEPS[name] ?? `${name[0]?.toUpperCase() ?? ''}${name.slice(1)}`;
}
