import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Guest } from '../../lab/guest.ts';
import type { Rack } from '../../lab/rack.ts';
import { type Browser, browserOf } from '../interop/web/browser.ts';
import { image, newGuest, startRack } from './support.ts';

/** The main job once more, by clicks alone: one machine, one page that nobody loads again. */

let rack: Rack;
let guest: Guest;
let browser: Browser;
let page: Page;

beforeAll(async () => {
  rack = await startRack('dashboard');
  ({ guest } = await newGuest(rack, 'clicked'));
  browser = await browserOf(rack.server.adminUrl, rack.server.token);
  page = await browser.open();
});
afterAll(async () => {
  await browser?.close().finally(() => rack?.close());
});

const within = (seconds: number) => ({ timeout: rack.patience(seconds) });
const button = (name: string) => page.getByRole('button', { name, exact: true });
const link = (name: string) => page.getByRole('link', { name, exact: true });
const state = (word: string, seconds: number) =>
  page.locator('[data-live="state"]').getByText(word, { exact: true }).waitFor(within(seconds));
const progress = (seconds: number) =>
  page.locator('[data-live="attempt"]').getByRole('progressbar').waitFor(within(seconds));
const disk = () => page.locator('[data-live="disk"]');

/** Ways through the firmware. */
const resets = (since: number) =>
  rack.feed
    .since(since, 'machine', guest.name)
    .filter(({ event }) => /^(RESET|SHUTDOWN|POWEROFF|QEMU )/.test(event));

test('a machine that waits is approved by clicks, and watched while it is installed', async () => {
  await guest.powerOn();
  await rack.feed.seen({
    source: 'api',
    guest: guest.name,
    since: 0,
    what: 'the machine that waits',
    timeoutMs: rack.patience(90),
    match: ({ host }) => host.state === 'discovered',
  });
  await link('Discovery').click();
  await page.getByRole('heading', { name: 'Discovery' }).waitFor();
  const tick = page.getByLabel(`Choose ${guest.mac}`);
  // Machines of other tests may wait as well.
  while ((await tick.count()) === 0) {
    const from = page.url();
    await link('Next page').click();
    await page.waitForURL(({ href }) => href !== from);
  }
  await tick.check();
  await button('Approve the ticked…').click();
  await page.getByRole('combobox', { name: 'Image' }).selectOption('debian-13:latest');
  await button('Show what would happen').click();
  await page.getByText('It will be installed with debian-13:latest').waitFor();
  await button('Approve, and install debian-13:latest').click();
  await page.getByText(`${guest.mac} is approved for debian-13:latest.`).waitFor();
  await progress(120);
  await state('active', 240);
  expect(await disk().textContent()).toContain('debian-13');
  expect(resets(0)).toEqual([]);
  expect((await rack.api.host(guest.mac)).observation).toMatchObject({
    slot: 'a',
    digest: image('debian-13').digest,
  });
});

test('another image is assigned by clicks, and the jump is watched', async () => {
  const since = rack.feed.mark();
  const before = await rack.api.host(guest.mac);
  await link('Assign image…').click();
  await page.getByRole('combobox', { name: 'Image' }).selectOption('fragile:latest');
  await button('Show what would happen').click();
  await page.getByText('jumps into it (kexec) for a trial').waitFor();
  await button('Assign fragile:latest').click();
  await state('staging', 60);
  await progress(120);
  await state('active', 240);
  const steps = page.getByRole('list', { name: 'Report by report' });
  for (const step of ['staged', 'switching', 'booted', 'confirmed'])
    await steps.getByText(step, { exact: true }).first().waitFor(within(30));
  const after = await rack.api.host(guest.mac);
  expect(after.observation).toMatchObject({ slot: 'b', digest: image('fragile').digest });
  expect(after.observation?.bootId).not.toBe(before.observation?.bootId);
  expect(resets(since)).toEqual([]);
});

test('it is rolled back by clicks, with nothing to download', async () => {
  const since = rack.feed.mark();
  await link('Roll back…').click();
  await page.getByText('Slot a still holds it').waitFor();
  await button('Roll back').click();
  await page.getByText('It is ordered back.').waitFor();
  await rack.feed.seen({
    source: 'api',
    guest: guest.name,
    since,
    what: 'the host that runs what it ran before',
    timeoutMs: rack.patience(240),
    match: ({ host }) => host.state === 'active' && host.observation?.slot === 'a',
  });
  await state('active', 30);
  await page
    .getByRole('list', { name: 'Report by report' })
    .getByText('confirmed', { exact: true })
    .first()
    .waitFor(within(30));
  expect((await rack.api.host(guest.mac)).observation?.digest).toBe(image('debian-13').digest);
  expect(resets(since)).toEqual([]);
});
