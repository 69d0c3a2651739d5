import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newMac } from '../../fixtures/running-server.ts';
import { type Browsing, browsing, fitsItsWidth, LOOKS, seriousFindings } from './browser.ts';

let web: Browsing;
beforeAll(async () => {
  web = await browsing();
});
afterAll(() => web.close());

const enrol = async (facts: object = {}) => {
  const mac = newMac();
  await web.server.admin('/api/v1/hosts', { body: { macs: [mac], ...facts } });
  return mac;
};

test('log in by the form, see the events, and each new one as it comes', async () => {
  const page = await web.open();
  await page.getByRole('link', { name: 'Events' }).click();
  await page.getByRole('status').getByText('Live').waitFor();
  const mac = await enrol();
  await web.server.admin(`/api/v1/hosts/${mac}/hold`, { body: { reason: 'a fan <i>rattles</i>' } });
  await page.getByText('a fan <i>rattles</i>').waitFor();
  expect(await page.getByRole('row').first().textContent()).toContain('Time');
});

test('what is typed, ticked, selected and focused stays while the page changes', async () => {
  const page = await web.open();
  await page.goto('/events');
  await page.getByRole('status').getByText('Live').waitFor();
  await page.getByLabel('Host').fill('half a ma');
  const before = await page.getByRole('row').count();
  await enrol();
  await expect.poll(() => page.getByRole('row').count()).toBeGreaterThan(before);
  expect(await page.getByLabel('Host').inputValue()).toBe('half a ma');
  expect(await page.evaluate('document.activeElement.id')).toBe('f-host');
});

test('the server restarts: the page says of when its data is, comes back by itself and catches up', async () => {
  const page = await web.open();
  await page.goto('/events');
  const status = page.getByRole('status');
  await status.getByText('Live').waitFor();
  await web.server.running.close();
  await status.getByText(/Reconnecting. Data of \d\d:\d\d:\d\d/).waitFor();
  await web.server.restart();
  const mac = await enrol();
  await web.server.admin(`/api/v1/hosts/${mac}/hold`, { body: { reason: 'after the restart' } });
  await page.getByText('after the restart').waitFor();
  await status.getByText('Live').waitFor();
});

test('a session that ends is said, with the way to another, and the page stays', async () => {
  const { json } = await web.server.admin('/api/v1/tokens', { body: { name: 'short', role: 'viewer' } });
  const page = await web.open({ token: json.token });
  await page.goto('/events');
  const status = page.getByRole('status');
  await status.getByText('Live').waitFor();
  await web.server.admin(`/api/v1/tokens/${json.id}`, { method: 'DELETE' });
  await status.getByText('The session is over').waitFor();
  await status.getByRole('link', { name: 'Log in' }).click();
  await page.waitForURL(/\/login\?to=%2Fevents$/);
});

describe.each(LOOKS)('dark: $dark, phone: $phone', (look) => {
  test('axe finds nothing serious', async () => {
    const page = await web.open(look);
    for (const path of ['/', '/events', '/events?host=nothing', '/nothing']) {
      await page.goto(path);
      expect([path, await seriousFindings(page)]).toEqual([path, []]);
      expect([path, await fitsItsWidth(page)]).toEqual([path, true]);
    }
  });
  test('the login: axe finds nothing serious', async () => {
    const page = await web.open({ ...look, token: null });
    await page.goto('/login');
    expect(await seriousFindings(page)).toEqual([]);
  });
});

test('without JavaScript there is the same page, of the moment when it was asked for', async () => {
  const page = await web.open({ javaScript: false });
  await page.goto('/events?kind=token-created');
  expect(await page.getByRole('status').textContent()).toMatch(/^As of \d\d:\d\d:\d\d UTC$/);
  expect(await page.getByRole('row').count()).toBeGreaterThan(1);
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.waitForURL('/login');
});
