/** The form of each kind of input that a prediction is made of: one row a kind. */

import type { Component, Snippet } from 'svelte';
import type { Given } from '../lib/inputs';
import PairForm from '../lib/PairForm.svelte';
import PhotosForm from '../lib/PhotosForm.svelte';
import TextsForm from '../lib/TextsForm.svelte';

export const FORMS: Record<string, Component<{ onask: (given: Given[]) => void; children?: Snippet }>> = {
  image: PhotosForm,
  text: TextsForm,
  pair: PairForm,
};
