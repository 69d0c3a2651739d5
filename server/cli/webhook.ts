import {
  madeWebhookSchema,
  type WebhookView,
  webhookListSchema,
  webhookSchema,
  webhookTestSchema,
} from '../contract/webhooks.ts';
import { count, texts } from './arguments.ts';
import { CliError } from './cli-error.ts';
import { segment } from './client.ts';
import type { Cli } from './command.ts';
import { relative } from './quantity.ts';
import { tableWidth } from './session.ts';
import { details, table } from './table.ts';
import { clean } from './text.ts';

const WEBHOOKS = '/api/v1/webhooks';
const path = (id: string) => `${WEBHOOKS}/${segment(id)}`;

interface Filter {
  readonly kind?: readonly string[];
  readonly label?: string;
}

export function addWebhook({ program, run }: Cli): void {
  const webhook = program
    .command('webhook')
    .description('Who is told of events by HTTP: add, look at, test, remove.');

  webhook
    .command('list')
    .description('List the webhooks, with how far each is.')
    .action(() =>
      run({}, async ({ client, json, print, printJson, say, world }) => {
        const { raw, data } = await client.get(WEBHOOKS, webhookListSchema);
        if (json) printJson(raw);
        else if (data.webhooks.length === 0) say('There are no webhooks. Add one: warmboot webhook add URL');
        else print(webhookTable(data.webhooks, world.now(), tableWidth(world)));
        return 0;
      }),
    );
  webhook
    .command('add')
    .description('Tell an address of events from now on; prints the secret that signs them, once.')
    .argument('<url>', 'http or https address that takes POST')
    .option(
      '--kind <kinds>',
      'only events of these kinds, with commas between; may be given more than once',
      texts,
    )
    .option('--label <selector>', 'only events of hosts with these labels')
    .option('--after <id>', 'begin after this event, not with what comes', count)
    .addHelpText(
      'after',
      '\nExample: warmboot webhook add https://example.org/hook --kind attempt-ended,discovered',
    )
    .action((url: string, options: Filter & { after?: number }) =>
      run({}, async ({ client, json, tell, printJson, say }) => {
        const { after } = options;
        const body = { url, ...wishOf(options), ...(after !== undefined && { after }) };
        const { raw, data } = await client.send('POST', WEBHOOKS, madeWebhookSchema, body);
        if (json) printJson(raw);
        else {
          say(`Webhook ${data.id} is added. Its secret, which nobody can see again:`);
          tell(data.secret);
        }
        return 0;
      }),
    );
  webhook
    .command('show')
    .description('Show a webhook: its last try, its failures, how far it is behind.')
    .argument('<id>')
    .action((id: string) =>
      run({}, async ({ client, json, print, printJson, world }) => {
        const { raw, data } = await client.get(path(id), webhookSchema);
        if (json) printJson(raw);
        else print(webhookPage(data, world.now()));
        return 0;
      }),
    );
  for (const [name, enabled, description] of [
    ['enable', true, 'Go on telling it, and try at once what failed.'],
    ['disable', false, 'Stop telling it; its place in the log stays.'],
  ] as const)
    webhook
      .command(name)
      .description(description)
      .argument('<id>')
      .action((id: string) =>
        run({}, async ({ client, json, printJson, tell }) => {
          const { raw } = await client.send('PATCH', path(id), webhookSchema, { enabled });
          if (json) printJson(raw);
          else tell(`Webhook ${id} is ${name}d.`);
          return 0;
        }),
      );
  webhook
    .command('rm')
    .description('Tell it no more.')
    .argument('<id>')
    .action((id: string) =>
      run({}, async ({ client, tell }) => {
        await client.delete(path(id));
        tell(`Webhook ${id} is removed.`);
        return 0;
      }),
    );
  webhook
    .command('test')
    .description('Send it one message of type "test" now.')
    .argument('<id>')
    .action((id: string) =>
      run({}, async ({ client, json, printJson, tell }) => {
        const { raw, data } = await client.send('POST', `${path(id)}/test`, webhookTestSchema);
        if (json) printJson(raw);
        if (!data.isTaken)
          throw new CliError(`the receiver did not take it: ${clean(data.error ?? 'it did not say why')}.`);
        if (!json) tell(`It was taken (${data.status}) after ${data.tookMs} ms.`);
        return 0;
      }),
    );
}

function wishOf({ kind, label }: Filter) {
  const kinds = kind?.flatMap((text) => text.split(',')).filter((text) => text !== '');
  return { ...(kinds && { kinds }), ...(label !== undefined && { selector: label }) };
}

function state({ enabled, reason, failures }: WebhookView): string {
  if (!enabled) return reason === '' ? 'disabled' : `disabled: ${reason}`;
  return failures === 0 ? 'enabled' : `failing (${failures})`;
}

function webhookTable(hooks: readonly WebhookView[], now: number, fitTo?: number): string {
  return table(
    [
      { title: 'ID' },
      { title: 'URL', least: 16, isDear: true },
      { title: 'STATE', least: 8 },
      { title: 'BEHIND', align: 'right' },
      { title: 'LAST TRY' },
      { title: 'ANSWER', least: 6 },
    ],
    hooks.map((hook) => [
      hook.id,
      hook.url,
      state(hook),
      String(hook.behind),
      hook.last === null ? '-' : relative(hook.last.at, now),
      hook.last === null ? '-' : (hook.last.error ?? String(hook.last.status)),
    ]),
    fitTo,
  );
}

function webhookPage(hook: WebhookView, now: number): string {
  const { last } = hook;
  return details([
    ['id', hook.id],
    ['url', hook.url],
    ['kinds', hook.kinds?.join(', ') ?? 'every kind'],
    ['labels', hook.selector ?? 'every host, and what is about none'],
    ['state', state(hook)],
    ['last try', last === null ? 'none so far' : `${relative(last.at, now)}: ${last.error ?? last.status}`],
    ['next try', hook.nextAt === null ? '-' : relative(hook.nextAt, now)],
    ['delivered', String(hook.delivered)],
    ['behind', `${hook.behind} events of the log, it has those up to ${hook.cursor}`],
    ['lost', hook.lost === 0 ? 'nothing' : `${hook.lost} events were removed before it got them`],
  ]);
}
