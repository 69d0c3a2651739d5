import type { HostFileView } from '../../contract/host-files.ts';
import type { HostView } from '../../contract/hosts.ts';
import { bytes } from '../../words/quantity.ts';
import { type Html, html } from '../html.ts';
import { nothing, table } from '../parts/table.ts';

/** The files that a host has of its own: names and sizes. What is in them is for administrators, by the API. */
export function fileTable(host: HostView, files: readonly HostFileView[]): Html {
  if (files.length === 0)
    return nothing(html`None. Give it one: <code>warmboot file put ${host.mac} /etc/motd FILE</code>.`);
  return html`${isLate(host) && html`<p class="notice warn">What runs has the files of before until the next switch or install; assign the image once more, written anew, to apply them now.</p>`}
${table(
  'Files',
  [
    { head: 'Path', names: true, as: 'code', cell: ({ path }: HostFileView) => `/${path}` },
    { head: 'Size', as: 'number', cell: (file) => bytes(file.bytes) },
    { head: 'Mode', cell: ({ mode }) => mode },
    { head: 'Owner', cell: ({ owner }) => owner },
  ],
  files,
  ({ path }) => path,
)}`;
}

/** Whether the slot that runs has other files than the host has now. An agent of before does not say. */
function isLate({ files, observation: seen }: HostView): boolean {
  const running = seen?.environment === 'os' ? seen.slots[seen.slot ?? ''] : undefined;
  return running?.files !== undefined && running.files !== (files?.sha256 ?? null);
}
