import { mount } from 'svelte';
import '../lib/style.css';
import Studio from './Studio.svelte';

const target = document.getElementById('app');
if (target) {
  target.replaceChildren();
  mount(Studio, { target });
}
