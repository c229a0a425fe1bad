/** What a model does, in plain words; by the name of its task. */

const INPUTS: [start: string, one: string, several: string][] = [
  ['image-', 'a photo', 'photos'],
  ['text-pair-', 'two texts', 'pairs of texts'],
  ['text-', 'a text', 'texts'],
];
const TASKS: Record<string, (one: string, several: string, classes: number) => string> = {
  classification: (_, several, classes) => `Sorts ${several} into ${classes} classes`,
  multilabel: (one, _, classes) => `Says which of ${classes} labels ${one} has`,
  regression: (one) => `Estimates a number for ${one}`,
};

/** "Sorts photos into 5 classes"; a task that is not known has its own name. */
export function does(task: string, classes: number): string {
  if (task === 'question-answering') return 'Finds answers in your texts';
  const [start = '', one = '', several = ''] = INPUTS.find(([start]) => task.startsWith(start)) ?? [];
  const words = TASKS[task.slice(start.length)];
  return words ? words(one, several, classes) : task.replaceAll('-', ' ');
}
