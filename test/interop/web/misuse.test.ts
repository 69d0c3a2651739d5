import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runsAll } from '../../all.ts';
import { saidInventory } from '../../fixtures/inventories.ts';
import { Machine } from '../../fixtures/machine.ts';
import { newMac } from '../../fixtures/running-server.ts';
import { type Browsing, browsing, fitsItsWidth } from './browser.ts';

let web: Browsing;
beforeAll(async () => {
  web = await browsing();
});
afterAll(() => web.close());

test('a clock that is wrong by an hour does not make hosts silent for an hour', async () => {
  const machine = await (await new Machine(web.server).enrol()).installed();
  const page = await web.open();
  await page.clock.setSystemTime(Date.now() + 3_600_000);
  await page.goto('/hosts');
  await page.getByRole('status').getByText('Live').waitFor();
  const row = page.getByRole('row').filter({ hasText: machine.mac });
  await expect.poll(() => row.locator('time[data-show=ago]').textContent()).toMatch(/^(now|\d+ s ago)$/);
});

test('a server in trouble is asked less and less often, and at once when it is well again', async () => {
  const page = await web.open();
  await page.goto('/events');
  await page.getByRole('status').getByText('Live').waitFor();
  let asked = 0;
  await page.route('**/events', async (route) => {
    asked += 1;
    await route.fulfill({ status: 503 });
  });
  const mac = newMac();
  await web.server.admin('/api/v1/hosts', { body: { macs: [mac] } });
  await page
    .getByRole('status')
    .getByText(/Reconnecting/)
    .waitFor();
  await page.waitForTimeout(8_000);
  expect(asked).toBeLessThan(6);
  await page.unroute('**/events');
  await page.getByRole('rowheader').first().waitFor();
  await page.getByRole('link', { name: mac }).first().waitFor();
});

const EVIL = '"><img src=x onerror=alert(1)><svg/onload=alert(2)>';

describe('strings that want to be more than text, and do not break into lines', () => {
  let mac: string;
  beforeAll(async () => {
    const { admin, boot } = web.server;
    const long = 'W'.repeat(60);
    mac = newMac();
    await boot(`/boot/hosts/${mac}/inventory`, {
      body: saidInventory({
        system: { vendor: `${EVIL}${long}`, product: `javascript:alert(3)${long}`, serial: EVIL, uuid: null },
      }),
    });
    await admin(`/api/v1/hosts/${mac}/approve`, { body: { labels: { [`rack${'x'.repeat(50)}`]: long } } });
    await admin(`/api/v1/hosts/${mac}/hold`, { body: { reason: `${EVIL}${'W'.repeat(150)}` } });
    const { json } = await admin('/api/v1/tokens', { body: { name: `t${long}`, role: 'viewer' } });
    expect(json.token).toBeTypeOf('string');
    await admin(`/api/v1/profiles/p${'x'.repeat(50)}`, {
      method: 'PUT',
      body: { append: `a=${long.repeat(4)}` },
    });
  });

  test.each(runsAll() ? [320, 640] : [320])(
    'no page is wider than %i pixels, and no script of theirs runs',
    async (width) => {
      const page = await web.open();
      page.on('dialog', () => expect.unreachable('a script ran'));
      await page.setViewportSize({ width, height: 640 });
      const wide: string[] = [];
      const paths = ['', '/settings', '/hold', '/remove', '/assign', '/retire'].map(
        (deed) => `/hosts/${mac}${deed}`,
      );
      const others = [
        '/',
        '/hosts',
        `/hosts?q=${encodeURIComponent(EVIL)}`,
        '/events',
        '/images',
        '/rollouts',
        '/rollouts/new',
      ];
      const more = [
        '/discovery',
        '/discovery/rules',
        '/settings',
        '/profiles',
        `/profiles/p${'x'.repeat(50)}`,
        '/tokens',
        '/login?to=/x',
      ];
      for (const path of [...paths, ...others, ...more, `/hosts/label?who=ticked&mac=${mac}&name=rack`]) {
        await page.goto(path);
        if (!(await fitsItsWidth(page))) wide.push(path);
        expect(await page.locator('img, main svg[onload]').count()).toBe(0);
      }
      expect(wide).toEqual([]);
    },
  );
});
