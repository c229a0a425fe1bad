import { mount } from 'svelte';
import '../lib/style.css';
import Page from './Page.svelte';

const target = document.getElementById('app');
if (target) {
  target.replaceChildren();
  mount(Page, { target });
}
