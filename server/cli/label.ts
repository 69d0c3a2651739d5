import { hostListSchema, hostSchema } from '../contract/hosts.ts';
import { isMac } from './arguments.ts';
import { CliError } from './cli-error.ts';
import { type Client, segment } from './client.ts';
import type { Cli } from './command.ts';
import { labelText } from './hosts.ts';
import { everyPage } from './pages.ts';

/** Hosts that are changed at the same time. */
const TOGETHER = 8;

export function addLabel({ program, run }: Cli): void {
  program
    .command('label')
    .description('Set labels of hosts, or take them away; the others stay.')
    .argument('<hosts>', 'any MAC of one host, or a label selector for all that fit it')
    .argument('<label...>', 'NAME=VALUE sets one, NAME- takes it away')
    .addHelpText(
      'after',
      '\nExamples: warmboot label 52:54:00:12:34:56 rack=b7 spare-\n          warmboot label "rack in (b7, b8)" wave=2',
    )
    .action((which: string, words: string[]) => {
      const labels = Object.fromEntries(words.map(labelChange));
      return run({}, async ({ client, json, tell, printJson, say }) => {
        const macs = isMac(which) ? [which] : await matching(client, which);
        if (macs.length === 0) say('No host is like that.');
        const changed: unknown[] = [];
        for (let at = 0; at < macs.length; at += TOGETHER) {
          const some = macs
            .slice(at, at + TOGETHER)
            .map((mac) => client.patch(`/api/v1/hosts/${segment(mac)}`, hostSchema, { labels }));
          for (const { raw, data } of await Promise.all(some)) {
            changed.push(raw);
            if (!json) tell(`${data.mac}: ${labelText(data.labels) || 'no labels'}`);
          }
        }
        if (json) printJson({ hosts: changed });
        return 0;
      });
    });
}

function labelChange(word: string): [string, string | null] {
  const set = /^([^=]+)=(.*)$/s.exec(word);
  if (set?.[1]) return [set[1], set[2] ?? ''];
  const gone = /^([^=]+)-$/s.exec(word);
  if (gone?.[1]) return [gone[1], null];
  throw new CliError(`"${word}" is no label: write NAME=VALUE to set one, NAME- to take it away.`, 2);
}

/** An empty selector would be the whole fleet: nobody means that by an unset variable. */
async function matching(client: Client, selector: string): Promise<string[]> {
  if (selector.trim() === '') throw new CliError('The selector is empty: name a MAC, or labels.', 2);
  const query = new URLSearchParams({ label: selector });
  const { data } = await everyPage(client, '/api/v1/hosts', query, 'hosts', hostListSchema);
  return data.map(({ mac }) => mac);
}
