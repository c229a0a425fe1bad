/** Where one is on the page: the part of the address behind its #, so that the browser's back button works. */

export const STEPS = ['examples', 'check', 'train', 'try', 'share'] as const;
export type Step = (typeof STEPS)[number];

export interface Place {
  project: string; // empty: all projects
  step: Step;
}

export class Route {
  place = $state.raw<Place>(placeOf(location.hash));

  constructor() {
    addEventListener('hashchange', () => (this.place = placeOf(location.hash)));
  }
}

export function address(project: string, step: Step = 'examples'): string {
  return `#/${encodeURIComponent(project)}/${step}`;
}

function placeOf(hash: string): Place {
  const [, project = '', step] = hash.split('/');
  return { project: decoded(project), step: STEPS.find((each) => each === step) ?? 'examples' };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // somebody typed it
  }
}
