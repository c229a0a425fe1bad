/** The form of each kind of input: one row a kind. */

import type { Component } from 'svelte';
import type { Model } from './api';
import Pairs from './Pairs.svelte';
import Photos from './Photos.svelte';
import Questions from './Questions.svelte';
import type { Server } from './server.svelte';
import Texts from './Texts.svelte';

export const FORMS: Record<string, Component<{ server: Server; model: Model }>> = {
  image: Photos,
  text: Texts,
  pair: Pairs,
  passage: Questions,
};
