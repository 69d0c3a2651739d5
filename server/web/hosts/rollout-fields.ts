import { type Html, html } from '../html.ts';
import { checkbox, textField } from '../parts/form.ts';

/** What a form says of a rollout's course; '' is the default of the API. */
export type Course = Readonly<Record<(typeof COURSE)[number], string>>;

const COURSE = [
  'name',
  'canary',
  'waves',
  'maxUnavailable',
  'failureThreshold',
  'soak',
  'skipAfter',
  'fresh',
  'reason',
] as const;

export function courseOf(field: (name: string) => string): Course {
  return Object.fromEntries(COURSE.map((name) => [name, field(name)])) as Course;
}

export function courseHidden(course: Course): readonly Html[] {
  return Object.entries(course).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  );
}

/** Fields with what the API does where they are left empty. */
export function courseFields(course: Course): Html {
  const line = (name: keyof Course, label: string, preset: string, help: string) =>
    html`<div class="course">${textField(name, label, course[name], html` placeholder="${preset}" aria-describedby="h-${name}"`)}<small id="h-${name}">${help}</small></div>`;
  return html`<fieldset class="courses"><legend>How it goes</legend>
${line('canary', 'Canary', '1', 'hosts in the first wave: a number, or a share like 1%')}
${line('waves', 'Waves after it', '10%, 50%, 100%', 'how many are reached at the end of each')}
${line('maxUnavailable', 'On their way at once', '10%', 'at most: a number, or a share')}
${line('soak', 'Rest after each wave', '5m', 'such as 0, 90s, 5m, 2h')}
${line('failureThreshold', 'Pause at failures', '5%', 'a number, or a share of the waves begun')}
${line('skipAfter', 'Do not wait for who is silent', '10m', 'since so long')}
${line('name', 'Name', '', 'shown in lists')}
${line('reason', 'Reason', '', 'told in events')}
${checkbox('fresh', 'write the slot anew even if one holds the image', course.fresh !== '')}
</fieldset>`;
}

/** @returns what the API takes, or what cannot be read. Fields left empty are left out: the API has the defaults */
export function courseBody(course: Course): { readonly body: object } | { readonly refused: string } {
  const { canary, waves, maxUnavailable, failureThreshold, soak, skipAfter, fresh, name, reason } = course;
  const parts = (text: string) => text.split(',').map((each) => amount(each.trim()));
  const isPreset = canary === '' && waves === '';
  const all = [...parts(canary || '1'), ...parts(waves || '10%,50%,100%')];
  if (all.includes(null))
    return { refused: 'Waves are numbers of hosts or shares like 10%, with commas between.' };
  const unavailable = maxUnavailable === '' ? undefined : amount(maxUnavailable);
  const threshold = failureThreshold === '' ? undefined : amount(failureThreshold);
  if (unavailable === null || threshold === null)
    return {
      refused: 'How many may be on their way, and failures, are numbers of hosts or shares like 10%.',
    };
  const [soakSeconds, skipAfterSeconds] = [seconds(soak), seconds(skipAfter)];
  if (soakSeconds === null || skipAfterSeconds === null)
    return { refused: 'Times are written like 0, 90s, 5m, 2h or 1d.' };
  return {
    body: {
      ...(!isPreset && { waves: all }),
      ...(unavailable !== undefined && { maxUnavailable: unavailable }),
      ...(threshold !== undefined && { failureThreshold: threshold }),
      ...(soakSeconds !== undefined && { soakSeconds }),
      ...(skipAfterSeconds !== undefined && { skipAfterSeconds }),
      ...(fresh !== '' && { fresh: true }),
      ...(name !== '' && { name }),
      ...(reason !== '' && { reason }),
    },
  };
}

function amount(text: string): number | string | null {
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
  return /^\d{1,3}(\.\d{1,2})?%$/.test(text) ? text : null;
}

const SECONDS: Readonly<Record<string, number | undefined>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** @returns undefined for nothing, null for what is no time */
function seconds(text: string): number | null | undefined {
  if (text === '') return undefined;
  if (text === '0') return 0;
  const match = /^(\d{1,7})\s?([smhd])$/.exec(text);
  return match ? Number(match[1]) * (SECONDS[match[2] ?? ''] ?? 1) : null;
}
