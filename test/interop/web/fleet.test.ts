import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { FleetHost } from '../../../bench/fleet/host.ts';
import { machine } from '../../fixtures/inventories.ts';
import { type Browsing, browsing, fitsItsWidth, seriousFindings } from './browser.ts';

/** Many hosts at once, by clicks: machines are let in, brought to another image in waves, and back. */

let web: Browsing;
const ends: AbortController[] = [];
let number = 0;

beforeAll(async () => {
  web = await browsing();
});
afterEach(() => {
  for (const end of ends.splice(0)) end.abort();
});
afterAll(() => web.close());

/** A machine that netboots, and is a host once it is let in; until the end of the test. */
async function switchedOn(temper: 'good' | 'rolls-back' = 'good'): Promise<FleetHost> {
  const at = () => {
    const { hostname, port } = new URL(web.server.running.boot?.url ?? '');
    return { host: hostname, port: Number(port) };
  };
  number += 1;
  const host = new FleetHost(number, temper, at, () => {}, 0.3);
  const said = await web.server.boot(`/boot/hosts/${host.mac}/inventory`, { body: machine([host.mac]) });
  expect(said.status).toBe(200);
  const end = new AbortController();
  ends.push(end);
  host.live(0, end.signal).catch(() => {});
  return host;
}

const admin = (path: string, body?: object, method?: string) =>
  web.server.admin(path, { ...(body && { body }), ...(method && { method }) });

async function allRun(hosts: readonly FleetHost[], digest: string): Promise<void> {
  await expect.poll(() => hosts.every((host) => host.digest === digest), { interval: 100 }).toBe(true);
}

/** Hosts with this label that run the image `one`. */
async function running(pool: string, tempers: readonly ('good' | 'rolls-back')[]): Promise<FleetHost[]> {
  const hosts = await Promise.all(tempers.map((temper) => switchedOn(temper)));
  for (const { mac } of hosts)
    expect((await admin(`/api/v1/hosts/${mac}/approve`, { image: 'one', labels: { pool } })).status).toBe(
      200,
    );
  await allRun(hosts, web.server.one.digest);
  return hosts;
}

const status = (page: Page, word: string) => page.locator('.heading .badge', { hasText: word }).waitFor();
const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name });
const link = (page: Page, name: string) => page.getByRole('link', { name, exact: true });

test('machines that wait are looked at and approved, two at once; a third is ignored and let wait again', async () => {
  const page = await web.open();
  await link(page, 'Discovery').click();
  await page.getByText('No machine waits.').waitFor();
  const hosts = [await switchedOn(), await switchedOn(), await switchedOn()];
  const [one, two, three] = hosts.map(({ mac }) => mac) as [string, string, string];
  // Nobody loads the page again.
  await page.getByText('wait', { exact: false }).first().waitFor();
  await page.getByLabel(`Choose ${one}`).check();
  await page.getByLabel(`Choose ${two}`).check();
  await button(page, 'Approve the ticked…').click();
  await page.getByRole('combobox', { name: 'Image' }).selectOption('one:latest');
  await page.getByLabel('Labels').fill('pool=found');
  await button(page, 'Show what would happen').click();
  await page.getByText('Each will be installed with one:latest').waitFor();
  expect(await page.locator('.confirm').textContent()).toContain(one);
  await button(page, 'Approve, and install one:latest').click();
  await page.getByText('2 machines are approved for one:latest.').waitFor();
  await allRun(hosts.slice(0, 2), web.server.one.digest);

  await page.getByLabel(`Choose ${three}`).check();
  await button(page, 'Ignore the ticked…').click();
  await button(page, 'Ignore').click();
  await page.getByText('No machine waits.').waitFor();
  await page.getByRole('link', { name: /ignored/ }).click();
  await page.getByLabel(`Choose ${three}`).check();
  await button(page, 'Let the ticked wait again…').click();
  await button(page, 'Let wait again').click();
  await page.getByLabel(`Choose ${three}`).waitFor();
  await admin(`/api/v1/hosts/${three}`, undefined, 'DELETE');
});

test('a rollout is begun by a selector, watched, paused, resumed and rolled back', async () => {
  const hosts = await running('web', ['good', 'good', 'good', 'good']);
  const page = await web.open();
  await link(page, 'Rollouts').click();
  await link(page, 'New rollout').click();
  await page.getByLabel('Hosts with these labels').fill('pool=web');
  await page.getByRole('combobox', { name: 'Image' }).selectOption('two:latest');
  await page.getByLabel('Waves after it').fill('50%, 100%');
  await page.getByLabel('On their way at once').fill('100%');
  await page.getByLabel('Rest after each wave').fill('30s');
  await page.getByLabel('Name', { exact: true }).fill('spring');
  await button(page, 'Show what would happen').click();
  await button(page, 'Start the rollout to 4 hosts').click();
  await page.getByRole('heading', { name: 'spring' }).waitFor();
  // All that follows is told by the page as it stands.
  const wave = (at: number) =>
    page
      .getByRole('region', { name: 'Waves', exact: true })
      .locator('tbody tr')
      .nth(at - 1);
  await wave(1).getByText('soaks').waitFor();
  expect(await wave(2).textContent()).toContain('waits');
  await link(page, 'Pause').click();
  await page.getByText('3 hosts not ordered yet').waitFor();
  await page.getByLabel('Reason').fill('lunch');
  await button(page, 'Pause the rollout').click();
  await status(page, 'paused');
  await page.getByText('Paused: lunch', { exact: true }).waitFor();
  await link(page, 'Resume').click();
  await button(page, 'Resume the rollout').click();
  await status(page, 'running');
  await wave(2).getByText('soaks').waitFor();
  await status(page, 'finished');
  expect(await wave(3).textContent()).toMatch(/over/);
  expect(hosts.map(({ digest }) => digest)).toEqual(hosts.map(() => web.server.two.digest));

  await link(page, 'Roll back').click();
  await page.getByText(/4 hosts back to one/).waitFor();
  await button(page, 'Roll its hosts back').click();
  await page.getByText('The rollout has begun, with 4 hosts.').waitFor();
  await status(page, 'finished');
  await allRun(hosts, web.server.one.digest);
});

test('one that goes wrong says why it paused, and which host it was', async () => {
  const [bad] = await running('bad', ['rolls-back', 'good']);
  const { json } = await admin('/api/v1/rollouts', {
    image: 'two',
    selector: 'pool=bad',
    waves: ['100%'],
    maxUnavailable: 1,
    failureThreshold: 1,
  });
  const page = await web.open();
  await page.goto(`/rollouts/${json.id}`);
  await status(page, 'paused');
  const why = page.locator('[data-live="now"]');
  await why.getByText('a health check failed').waitFor();
  expect(await why.getByRole('link').textContent()).toBe(bad?.mac);
  await page
    .getByRole('navigation', { name: 'Hosts by state' })
    .getByRole('link', { name: /rolled-back/ })
    .click();
  await page
    .getByRole('region', { name: 'Hosts of the rollout' })
    .getByText('a health check failed')
    .waitFor();
  await page.goto('/');
  await page.getByRole('region', { name: 'Newest failures' }).getByText('a health check failed').waitFor();
  await admin(`/api/v1/rollouts/${json.id}/abort`, {});
});

test('all of it is there without JavaScript', async () => {
  const page = await web.open({ javaScript: false });
  const { mac } = await switchedOn();
  await page.goto('/discovery');
  await page.getByLabel(`Choose ${mac}`).check();
  await button(page, 'Approve the ticked…').click();
  await page.getByRole('combobox', { name: 'Image' }).selectOption('one:latest');
  await page.getByLabel('Labels').fill('pool=plain');
  await page.getByLabel('The disk may hold foreign data').check();
  await button(page, 'Show what would happen').click();
  await page.getByLabel(`Type ${mac} to allow it`).fill(mac);
  await button(page, 'Approve, and install one:latest').click();
  await page.getByText(`${mac} is approved for one:latest.`).waitFor();
  await expect.poll(async () => (await admin(`/api/v1/hosts/${mac}`)).json.state).toBe('active');

  await page.goto('/rollouts/new?selector=pool%3Dplain&image=two:latest');
  await page.getByRole('combobox', { name: 'Image' }).selectOption('two:latest');
  await button(page, 'Show what would happen').click();
  await button(page, 'Start the rollout to 1 host').click();
  await page.getByText('The rollout has begun, with 1 host.').waitFor();
  const { pathname } = new URL(page.url());
  await expect
    .poll(async () => {
      await page.goto(pathname);
      return page.locator('.heading .badge').first().textContent();
    })
    .toBe('finished');
});

const PAGES = [
  '/',
  '/discovery',
  '/discovery?state=ignored',
  '/discovery/rules',
  '/rollouts',
  '/rollouts/new',
  '/settings',
  '/profiles',
  '/profiles/_new',
  '/tokens',
  '/webhooks',
  '/mirrors',
];

test.each([
  ['light, at a desk', {}],
  ['dark, on a phone', { dark: true, phone: true }],
] as const)('nothing stands in the way of who cannot see or click: %s', async (_, look) => {
  const hosts = [await switchedOn(), await switchedOn()];
  await admin('/api/v1/profiles/dell', { disk: 'first-empty' }, 'PUT');
  const { json } = await admin('/api/v1/rollouts', {
    image: 'one',
    selector: 'pool=web',
    soakSeconds: 3600,
    name: 'to be looked at',
    fresh: true,
  });
  const { tokens } = (await admin('/api/v1/tokens')).json;
  const page = await web.open(look);
  const more = [
    `/rollouts/${json.id}`,
    `/rollouts/${json.id}/rollback`,
    `/discovery/approve?mac=${hosts[0]?.mac}&mac=${hosts[1]?.mac}&review=yes&image=one:latest&wipe=yes`,
    '/discovery/rules/set?name=a&vendor=Dell*&action=hold',
    '/profiles/dell',
    `/tokens/${tokens[0].id}/revoke`,
  ];
  const findings: string[] = [];
  for (const path of [...PAGES, ...more]) {
    await page.goto(path);
    for (const finding of await seriousFindings(page)) findings.push(`${path}: ${finding}`);
    if (!(await fitsItsWidth(page))) findings.push(`${path} does not fit its width`);
  }
  expect(findings).toEqual([]);
  await admin(`/api/v1/rollouts/${json.id}/abort`, {});
});
