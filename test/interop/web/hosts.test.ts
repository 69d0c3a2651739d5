import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nic, saidInventory } from '../../fixtures/inventories.ts';
import { DISK, Machine } from '../../fixtures/machine.ts';
import { type Browsing, browsing, fitsItsWidth, LOOKS, seriousFindings } from './browser.ts';

/** Hosts by a browser: machines that speak the wire protocol, pages that operators click on. */

let web: Browsing;
const machines: Machine[] = [];
beforeAll(async () => {
  web = await browsing();
  for (let n = 0; n < 8; n += 1) {
    const machine = await new Machine(web.server).enrol({ image: 'one', labels: { rack: `r${n % 2}` } });
    const inventory = saidInventory({ nics: [nic(machine.mac)] });
    await web.server.boot(`/boot/hosts/${machine.mac}/inventory`, { body: inventory });
    machines.push(await machine.installed());
  }
});
afterAll(() => web.close());

const machine = (n: number) => machines[n] as Machine;
const rowOf = (page: Page, { mac }: Machine) => page.getByRole('row').filter({ hasText: mac });
const live = (page: Page) => page.getByRole('status').getByText('Live').waitFor();
const ordered = async (which: Machine) => {
  const { json } = await web.server.admin(`/api/v1/hosts/${which.mac}`);
  which.attempt = json.attempt.id;
};
const jump = async (which: Machine) => {
  const { one, two } = web.server;
  const slots = {
    a: { state: 'modified', digest: one.digest },
    b: { state: 'modified', digest: two.digest },
  };
  for (const kind of ['staged', 'switching']) await which.report({ kind, slot: 'b', digest: two.digest });
  which.reboot();
  const up = { slot: 'b', digest: two.digest, slots, disk: DISK };
  await which.report({ kind: 'booted', ...up, default: 'a', trial: true });
  return () => which.report({ kind: 'confirmed', ...up, default: 'b' });
};

test('filter, tick, assign to many, and see them go', async () => {
  const page = await web.open();
  await page.goto('/hosts');
  await page.getByLabel('Labels').fill('rack=r1');
  await page.getByRole('button', { name: 'Show' }).click();
  expect(await page.getByRole('row').count()).toBe(5);
  for (const n of [1, 3]) await page.getByLabel(`Choose ${machine(n).mac}`).check();
  await page.getByText('the ticked (2)').waitFor();
  await page.getByRole('button', { name: 'Assign image…' }).click();
  await page.getByLabel('Image', { exact: true }).selectOption('two:latest');
  await page.getByRole('button', { name: 'Show what would happen' }).click();
  await page.getByRole('button', { name: 'Assign to 2 hosts now' }).dblclick();
  await page.getByRole('heading', { name: 'Assigned two:latest' }).waitFor();
  expect(await page.getByRole('row').filter({ hasText: 'ordered' }).count()).toBe(2);
  await page.goto('/hosts');
  await live(page);
  const row = rowOf(page, machine(1));
  await row.getByText('staging').waitFor();
  await ordered(machine(1));
  const confirm = await jump(machine(1));
  await row.getByText('on trial').first().waitFor();
  await confirm();
  await row.getByText('active').waitFor();
});

test('by the keyboard alone: rows, ticks, opening, search, help', async () => {
  const page = await web.open();
  await page.goto('/hosts');
  const focused = () => page.evaluate('document.activeElement.textContent');
  await page.keyboard.press('j');
  expect(await focused()).toBe(machine(0).mac);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('j');
  await page.keyboard.press('k');
  expect(await focused()).toBe(machine(1).mac);
  await page.keyboard.press('x');
  expect(await page.getByLabel(`Choose ${machine(1).mac}`).isChecked()).toBe(true);
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keys' }).waitFor();
  await page.keyboard.press('j');
  await page.keyboard.press('Escape');
  expect(await page.getByRole('dialog').count()).toBe(0);
  await page.keyboard.press('/');
  await page.keyboard.type('jx?/');
  expect(await page.getByLabel('Text').inputValue()).toBe('jx?/');
  expect(await page.getByLabel(`Choose ${machine(1).mac}`).isChecked()).toBe(true);
  await page.keyboard.press('Escape');
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/hosts\/52/);
});

test('ticks and the place in the list stay while hosts change', async () => {
  const page = await web.open();
  await page.goto('/hosts');
  await live(page);
  await page.getByLabel('Choose all of this page').check();
  await page.getByLabel(`Choose ${machine(0).mac}`).uncheck();
  await page.getByRole('link', { name: machine(4).mac }).focus();
  await web.server.admin(`/api/v1/hosts/${machine(4).mac}/hold`, { body: { reason: 'look at me' } });
  await rowOf(page, machine(4)).getByText('held: look at me').waitFor();
  expect(await page.evaluate('document.activeElement.textContent')).toBe(machine(4).mac);
  expect(await page.getByLabel(`Choose ${machine(1).mac}`).isChecked()).toBe(true);
  expect(await page.getByLabel(`Choose ${machine(0).mac}`).isChecked()).toBe(false);
  await web.server.admin(`/api/v1/hosts/${machine(4).mac}/resume`, { method: 'POST', body: {} });
});

test('one host: assign it, see bytes and pace, the jump, and roll it back', async () => {
  const page = await web.open();
  const which = machine(2);
  await page.goto(`/hosts/${which.mac}`);
  await live(page);
  await page.getByRole('link', { name: 'Assign image…' }).click();
  await page.getByLabel('Image', { exact: true }).selectOption('two:latest');
  await page.getByRole('button', { name: 'Show what would happen' }).click();
  await page.getByRole('button', { name: 'Assign two:latest' }).click();
  await page.getByText('two:latest is ordered').waitFor();
  await ordered(which);
  const bytes = 2 ** 20;
  await which.report({ kind: 'progress', phase: 'write', bytesDone: 0, bytesTotal: 100 * bytes });
  await page.getByText('0 B of 100 MiB (0%)').waitFor();
  expect(await page.locator('.rate').textContent()).toBe('');
  for (const done of [10, 20, 30]) {
    await new Promise((resolve) => setTimeout(resolve, 700));
    await which.report({
      kind: 'progress',
      phase: 'write',
      bytesDone: done * bytes,
      bytesTotal: 100 * bytes,
    });
  }
  // No event tells of these: the page asks by itself.
  await page.getByText('30 MiB of 100 MiB (30%)').waitFor();
  await expect.poll(() => page.locator('.rate').textContent()).toMatch(/^[\d.]+ MiB\/s, \d+ s left$/);
  const confirm = await jump(which);
  await page.locator('.piece.trial').waitFor();
  await confirm();
  await page.locator('h1').getByText('active').waitFor();
  await page.getByRole('link', { name: 'Roll back…' }).click();
  await page.getByText('Slot a still holds it').waitFor();
  await page.getByRole('button', { name: 'Roll back' }).click();
  await page.getByText('It is ordered back.').waitFor();
  // The drawing says what the table says.
  expect(await page.locator('svg.disk').getAttribute('aria-label')).toContain('the table below');
});

test('without JavaScript: filter, assign, roll out, all by links and forms', async () => {
  const page = await web.open({ javaScript: false });
  await page.goto('/hosts?label=rack%3Dr0');
  await page.getByLabel(`Choose ${machine(6).mac}`).check();
  await page.getByRole('button', { name: 'Label…' }).click();
  await page.getByLabel('Label', { exact: true }).fill('by');
  await page.getByLabel('Value').fill('hand');
  await page.getByRole('button', { name: 'Show what setting it does' }).click();
  await page.getByRole('button', { name: 'Set it for 1 host' }).click();
  await page.getByText('by=hand was set').waitFor();
  await page.goto('/hosts?q=by%3Dhand');
  await page.getByLabel('all that fit the filter').check();
  await page.getByRole('button', { name: 'Start rollout…' }).click();
  await page.getByLabel('Image', { exact: true }).selectOption('two:latest');
  await page.getByLabel('Canary').fill('1');
  await page.getByRole('button', { name: 'Show what would happen' }).click();
  await page.getByRole('button', { name: 'Start the rollout to 1 host' }).click();
  await page.waitForURL(/\/rollouts\//);
  const { json } = await web.server.admin(`/api/v1/hosts/${machine(6).mac}`);
  expect(json.attempt.rollout).toBeTruthy();
});

describe.each(LOOKS)('dark: $dark, phone: $phone', (look) => {
  test('axe finds nothing serious, and nothing has to be scrolled sideways', async () => {
    const page = await web.open(look);
    const { mac } = machine(2);
    const all = [
      'assign?who=all&to=two:latest',
      'rollout?who=all',
      'rollout?who=all&label=rack%3Dr1&to=two:latest',
      'label?who=all&name=a&value=b',
    ];
    const one = ['', '/assign?to=one:latest', '/reinstall', '/settings', '/remove'];
    for (const path of [
      '/hosts',
      ...all.map((each) => `/hosts/${each}`),
      ...one.map((each) => `/hosts/${mac}${each}`),
    ]) {
      await page.goto(path);
      await page.evaluate('for (const each of document.querySelectorAll("details")) each.open = true');
      expect([path, await seriousFindings(page)]).toEqual([path, []]);
      expect([path, await fitsItsWidth(page)]).toEqual([path, true]);
    }
  });
});
