/** What a model can be taken away as. */

import type { Export, Kind } from './api';
import { count, many } from './score';

export interface Form {
  format: string;
  title: string;
  words: string;
  open: string; // how it is used
  only?: Kind; // of examples that it is for
}

export const FIRST: Form[] = [
  {
    format: 'web',
    title: 'A web page for anybody',
    words:
      'It runs in their browser, on a phone too, and what they try with it stays with them. It always answers: that something is unlike all it has learned from is said here only.',
    open: 'Unpack it, and put the folder on any web host: a browser runs it from there, and not from a folder of this computer.',
  },
  {
    format: 'model',
    title: 'The model’s folder',
    words: 'To go on with it later, on another computer that has headstart.',
    open: 'Unpack it; then: headstart predict FOLDER photo.jpg',
  },
];

export const MORE: Form[] = [
  {
    format: 'onnx',
    title: 'ONNX',
    words: 'For programs in nearly any language, and for phones.',
    open: 'Unpack it; its README has a program of a few lines that runs it.',
  },
  {
    format: 'openvino',
    title: 'OpenVINO',
    words: 'For speed on Intel processors.',
    open: 'Unpack it; its README has a program of a few lines that runs it.',
  },
  {
    format: 'torch',
    title: 'PyTorch',
    words: 'For programs in Python that have PyTorch.',
    open: 'Unpack it; its README has a program of a few lines that runs it.',
  },
  {
    format: 'transformers',
    title: 'Transformers',
    only: 'table',
    words: 'For whoever works with Hugging Face.',
    open: 'Unpack it; its README says how it is opened.',
  },
  {
    format: 'timm',
    title: 'timm',
    only: 'photos',
    words: 'For whoever works with timm, a collection of models for photos.',
    open: 'Unpack it; its README says how it is opened.',
  },
];

/** What was compared before it could be downloaded. */
export function proved({ proof }: Export, noun: string): string {
  const [n, same] = [Number(proof?.['n']), Number(proof?.['same_top1'])];
  if (!(n > 0)) return '';
  const what = many(n, noun, noun.replace(/^\w+/, '$&s'));
  return same >= n
    ? `Tried before it was packed: the same answers as here for all of ${what}.`
    : `Tried before it was packed: the same answers as here for ${count(same)} of ${what}; for the others, two answers were as good as equal.`;
}

export function megabytes(bytes: number): string {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} KB` : `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}
