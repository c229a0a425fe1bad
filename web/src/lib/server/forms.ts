/** The form of each kind of input that a prediction is made of: one row a kind. */

import type { Component, Snippet } from 'svelte';
import type { Given } from '../inputs';
import PairForm from '../PairForm.svelte';
import PhotosForm from '../PhotosForm.svelte';
import TextsForm from '../TextsForm.svelte';

export const FORMS: Record<string, Component<{ onask: (given: Given[]) => void; children?: Snippet }>> = {
  image: PhotosForm,
  text: TextsForm,
  pair: PairForm,
};
