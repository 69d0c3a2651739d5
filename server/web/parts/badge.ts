import { type Html, html } from '../html.ts';

/** What a state means for who looks: each has a shape of its own, so that no colour has to be seen. */
export type Tone = 'good' | 'moving' | 'waiting' | 'warn' | 'bad' | 'off';

/** States of hosts, of rollouts and their hosts, of attempts, builds and slots. */
const TONES: Readonly<Record<string, Tone | undefined>> = {
  active: 'good',
  succeeded: 'good',
  finished: 'good',
  ready: 'good',
  approved: 'waiting',
  discovered: 'waiting',
  waiting: 'waiting',
  queued: 'waiting',
  installing: 'moving',
  staging: 'moving',
  switching: 'moving',
  confirming: 'moving',
  running: 'moving',
  aborting: 'moving',
  hold: 'warn',
  held: 'warn',
  paused: 'warn',
  'rolled-back': 'warn',
  aborted: 'warn',
  interrupted: 'warn',
  skipped: 'off',
  failed: 'bad',
  unknown: 'bad',
  retired: 'off',
  ignored: 'off',
  superseded: 'off',
};

/** A state as a word with its shape. @param tone where the word alone does not say it */
export function badge(word: string, tone: Tone = TONES[word] ?? 'off'): Html {
  return html`<span class="badge ${tone}">${shape(tone)}${word}</span>`;
}

/** Drawn on 10 × 10. */
export function shape(tone: Tone): Html {
  return html`<svg class="shape ${tone}" viewBox="0 0 10 10" width="10" height="10" aria-hidden="true" focusable="false">${SHAPES[tone]}</svg>`;
}

const SHAPES: Readonly<Record<Tone, Html>> = {
  good: html`<circle cx="5" cy="5" r="4.5"/>`,
  moving: html`<path d="M1 0.5 L9.5 5 L1 9.5 Z"/>`,
  waiting: html`<circle class="line" cx="5" cy="5" r="3.75"/>`,
  warn: html`<path d="M5 0.5 L9.8 9.5 L0.2 9.5 Z"/>`,
  bad: html`<rect x="0.8" y="0.8" width="8.4" height="8.4"/>`,
  off: html`<path class="line" d="M1 5 H9"/>`,
};
