import { type HostChangesView, type HostView, hostSchema } from '../../contract/hosts.ts';
import { layoutListSchema } from '../../contract/layouts.ts';
import { profileListSchema } from '../../contract/profiles.ts';
import { at, type Problem } from '../api.ts';
import { hostPath } from '../hosts/words.ts';
import { type Html, html } from '../html.ts';
import { field, form, hiddenField, type Option, select } from '../parts/form.ts';
import type { Site } from '../site.ts';
import type { Visit } from '../visit.ts';
import { deedFrame, withHost } from './deed-frame.ts';
import { labelChanges, labelLines, labelsField, parseLabels } from './labels.ts';

const NAMES = [
  'labels',
  'profile',
  'layout',
  'disk',
  'switch',
  'trialSeconds',
  'rate',
  'readBack',
  'append',
] as const;
type Name = (typeof NAMES)[number];
/** As the form has them; '' is: not of its own. */
type Given = Readonly<Record<Name, string>>;

/** What operators say of a host, to be changed. What is left empty comes from the profile, or is the default. */
export function addSettingsForm({ look, change }: Site): void {
  look('/hosts/:mac/settings', (visit) => withHost(visit, (host) => settingsPage(visit, host, ownOf(host))));
  change('/hosts/:mac/settings', (sent) =>
    withHost(sent, async (host) => {
      const given = Object.fromEntries(NAMES.map((name) => [name, sent.field(name)])) as Given;
      const read = changesOf(host, given, parseBefore(sent.field('labels_before')));
      if ('refused' in read)
        return settingsPage(sent, host, given, { ok: false, status: 422, detail: read.refused });
      const told = await sent.api.patch(at`/api/v1/hosts/${host.mac}`, hostSchema, {
        body: read.changes,
        revision: sent.field('revision'),
      });
      if (!told.ok) return settingsPage(sent, host, given, told);
      return sent.done(hostPath(host), { tone: 'good', text: `The settings of ${host.mac} were changed.` });
    }),
  );
}

function ownOf(host: HostView): Given {
  const own = (name: keyof HostView['from'], value: unknown) =>
    host.from[name] === 'own' ? String(value ?? '') : '';
  return {
    labels: labelLines(host.labels),
    profile: host.profile ?? '',
    layout: own('layout', host.layout),
    disk: own('disk', host.disk),
    switch: own('switch', host.switch),
    trialSeconds: own('trialSeconds', host.trialSeconds),
    rate: own('rate', host.rate),
    readBack: own('readBack', host.readBack),
    append: own('append', host.append),
  };
}

/** Only what differs from the labels that the form showed is a change of them. */
function parseBefore(lines: string): Readonly<Record<string, string>> {
  const read = parseLabels(lines);
  return 'labels' in read ? read.labels : {};
}

function changesOf(
  host: HostView,
  given: Given,
  labelsBefore: Readonly<Record<string, string>>,
): { readonly changes: HostChangesView } | { readonly refused: string } {
  const read = parseLabels(given.labels.replaceAll('\r', ''));
  if ('refused' in read) return read;
  const whole = (name: Name) =>
    given[name] === '' ? null : /^\d{1,15}$/.test(given[name]) ? Number(given[name]) : undefined;
  const [trialSeconds, rate] = [whole('trialSeconds'), whole('rate')];
  if (trialSeconds === undefined || rate === undefined)
    return { refused: 'Trial and rate are whole numbers: seconds, and bytes per second.' };
  const before = ownOf(host);
  const all = {
    profile: given.profile || null,
    layout: given.layout || null,
    disk: given.disk || null,
    switch: (given.switch || null) as 'kexec' | 'reboot' | null,
    trialSeconds,
    rate,
    readBack: given.readBack === '' ? null : given.readBack === 'true',
    append: given.append || null,
  };
  const differing = Object.entries(all).filter(([name]) => given[name as Name] !== before[name as Name]);
  const labels = labelChanges(labelsBefore, read.labels);
  return {
    changes: { ...Object.fromEntries(differing), ...(Object.keys(labels).length > 0 && { labels }) },
  };
}

async function settingsPage(
  visit: Visit,
  host: HostView,
  given: Given,
  problem?: Problem,
): Promise<Response> {
  const { api } = visit;
  const [layouts, profiles] = await Promise.all([
    api.get('/api/v1/layouts', layoutListSchema),
    api.get('/api/v1/profiles', profileListSchema),
  ]);
  const names = (list: readonly { readonly name: string }[]) => list.map(({ name }) => name);
  const inherited = (name: keyof HostView['from'], value: unknown): Option => ({
    value: '',
    label:
      host.from[name] === 'own'
        ? 'of the profile, or the default'
        : `${String(value)} (${host.from[name] ?? 'default'})`,
  });
  const line = (name: Name & keyof HostView['from'], label: string, help: string): Html => {
    const inForce = host.from[name] === 'own' ? '' : String(host[name] ?? '');
    return field(
      name,
      label,
      html`<input id="f-${name}" name="${name}" value="${given[name]}" placeholder="${inForce}" autocomplete="off" spellcheck="false">`,
      help,
    );
  };
  const fields = html`${hiddenField('revision', String(host.revision))}${hiddenField('labels_before', labelLines(host.labels))}
${labelsField(given.labels)}
${select('profile', 'Profile', [{ value: '', label: 'none' }, ...(profiles.ok ? names(profiles.value.profiles) : [host.profile ?? ''].filter(Boolean))], given.profile)}
${select('layout', 'Disk layout', [inherited('layout', host.layout), ...(layouts.ok ? names(layouts.value.layouts) : [])], given.layout)}
${line('disk', 'Disk rule', 'smallest, first-empty, serial=…, wwn=… or path=…; of the next install')}
${select('switch', 'Jumps by', [inherited('switch', host.switch), 'kexec', 'reboot'], given.switch)}
${line('trialSeconds', 'Trial, in seconds', "60 to 86400; empty: the profile's, or the server's own")}
${line('rate', 'Rate of staging, in bytes per second', 'at least 65536; empty: no limit of its own')}
${select('readBack', 'Read a slot back', [inherited('readBack', host.readBack ?? true), { value: 'true', label: 'yes' }, { value: 'false', label: 'no' }], given.readBack)}
${line('append', 'Kernel arguments', "after the image's; in force at the next jump or install")}
<div class="buttons"><button class="primary">Save</button> <a href="${hostPath(host)}">Leave it</a></div>`;
  return deedFrame(visit, {
    title: `Settings of ${host.mac}`,
    host,
    problem,
    body: html`<p class="quiet">What is left empty comes from the profile, or is the default.</p>${form(visit, hostPath(host, 'settings'), fields, 'stack')}`,
  });
}
