/** The steps of a training in plain words. */

const STEPS: Record<string, string> = {
  queued: 'Getting ready',
  turn: 'Waiting for a training of another studio on this computer',
  open: 'Opening',
  read: 'Reading the examples',
  check: 'Checking them',
  split: 'Setting some aside for the test',
  choose: 'Choosing a model to start from',
  time: 'Seeing how fast this computer is',
  rank: 'Choosing a model to start from',
  reach: 'Fetching the model to start from',
  fetch: 'Fetching the model to start from',
  encode: 'Looking at every example',
  'encode tuned': 'Looking again, with what was learned',
  adapt: 'Learning from the examples',
  tune: 'Practising on the examples',
  'learning curve': 'Seeing whether more examples would help',
  evaluate: 'Testing on what it has not seen',
  confidence: 'Learning when to be unsure',
  doubts: 'Looking for doubtful examples',
  save: 'Saving',
};

export function stepInWords(name: string): string {
  return STEPS[name] ?? `${name[0]?.toUpperCase() ?? ''}${name.slice(1)}`;
}
