import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';
import { MARKUP, type SimulatedImages, simulateImages } from '../fixtures/simulated-images.ts';
import { loggedIn, loggedInAs, type PageClient } from './page-client.ts';

let server: TestServer;
let admin: PageClient;
let viewer: PageClient;
let images: SimulatedImages;
beforeAll(async () => {
  server = await runningServer();
  await server.running.close();
  images = await simulateImages(server.dataDir);
  await server.restart();
  admin = await loggedIn(server);
  viewer = await loggedInAs(server, 'viewer', 'looks');
});
afterAll(() => server.close());

const pathOf = (name: string) => `/images/${images.digests[name]}`;
const textOf = (page: string) => page.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ');

describe('the list', () => {
  test('newest first, with all tags, and who runs what', async () => {
    await server.admin('/api/v1/hosts', { body: { macs: [newMac()], image: 'web:v42' } });
    const { text } = await admin.look('/images');
    const words = textOf(text);
    expect(words.indexOf('markup:latest')).toBeLessThan(words.indexOf('web:latest'));
    expect(words).toContain('1 host shall run it');
    expect(text).toContain(`/hosts?image=${encodeURIComponent(images.digests['web:v42'] ?? '')}`);
    expect(words).toMatch(/debian-13:2026-11 debian-13:latest/);
    expect(words).toContain('the installer');
  });
  test('is searched by tag, digest, OS or kernel', async () => {
    const found = async (q: string) => textOf((await admin.look(`/images?q=${q}`)).text);
    expect(await found('WEB:v4')).toContain('web:v41');
    expect(await found('WEB:v4')).not.toContain('debian-13:latest');
    expect(await found(images.digests['web:v41']?.slice(7, 15) ?? '')).toContain('web:v41');
    expect(await found('nothing-like-it')).toContain('No image is like that.');
  });
});

describe('an image', () => {
  test('has one page under all of its names', async () => {
    const { status, headers } = await admin.look('/images/web');
    expect([status, headers.location]).toEqual([303, pathOf('web:v42')]);
    expect((await admin.look('/images/nothing')).status).toBe(404);
    expect((await admin.look(`/images/${encodeURIComponent(MARKUP)}`)).text).not.toContain('<img');
  });
  test('shows its layers to scale, and what is shared of each', async () => {
    const { text } = await admin.look(pathOf('web:v42'));
    const words = textOf(text);
    expect(text).toMatch(/<svg class="layers" [^>]*aria-label="5 layers to scale, the base at the left: 1: /);
    // 1 before the first layer, then 90, 140, 45 and 2 of 278 chunks.
    expect(text).toContain('<rect x="0.36%" y="0" width="32.37%" height="34"/>');
    expect(text).toContain('<rect x="32.73%" y="0" width="50.36%" height="34"/>');
    expect(words).toContain('apt-get install -y nginx');
    expect(words).toMatch(/web:v41 88 % shared a host that has it fetches/);
    expect(words).toMatch(/COPY --from=warmboot\/agent \/ \/ 6 .* web:v41 100 % and 2 more/);
  });
  test('that came as a file says that its layers are not recorded', async () => {
    const words = textOf((await admin.look(pathOf('imported:latest'))).text);
    expect(words).toContain('Not recorded');
    expect(words).toContain('shared');
  });
  test('of the installer has neither layers nor a share', async () => {
    const { headers } = await admin.look('/images/installer');
    const words = textOf((await admin.look(headers.location ?? '')).text);
    expect(words).toContain('as the installer');
    expect(words).not.toContain('Shared with other');
  });
  test('markup in an instruction is text', async () => {
    const { text } = await admin.look(pathOf('markup:latest'));
    expect(text).toContain('&lt;img src=x');
    expect(text).not.toMatch(/<img|<script>/);
  });
});

describe('removing', () => {
  test('one tag of several: the other stays, and so does the image', async () => {
    const path = pathOf('debian-13:latest');
    const question = `${path}/remove?tag=debian-13%3A2026-11`;
    const words = textOf((await admin.look(question)).text);
    expect(words).toContain('The tag debian-13:2026-11 goes.');
    expect(words).toContain('stays as debian-13:latest');
    const answer = await admin.send(question, `${path}/remove`);
    expect([answer.status, answer.headers.location]).toEqual([303, path]);
    expect(textOf((await admin.look(path)).text)).toContain(
      'The tag debian-13:2026-11 was removed. The image stays',
    );
    expect((await admin.look(question)).status).toBe(404);
  });
  test('the last tag of an image that hosts shall run is not offered', async () => {
    const { text } = await admin.look(`${pathOf('web:v42')}/remove`);
    expect(textOf(text)).toContain('stays: 1 host shall run it');
    expect(text).not.toContain('Remove the image</button>');
    // Somebody was faster, or sends what no page has.
    const token = /name="form" value="([^"]*)"/.exec((await admin.look(pathOf('web:v42'))).text)?.[1] ?? '';
    const refused = await admin.look(`${pathOf('web:v42')}/remove`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': 'same-origin' },
      body: new URLSearchParams({ form: token, tag: '' }).toString(),
    });
    expect(refused.status).toBe(409);
    expect(textOf(refused.text)).toContain('is assigned to it');
  });
  test('an image that nobody needs is gone, and the list says so once', async () => {
    const path = pathOf('imported:latest');
    const answer = await admin.send(`${path}/remove`, `${path}/remove`);
    expect(answer.headers.location).toBe('/images');
    expect(textOf((await admin.look('/images')).text)).toMatch(/the image is gone: [\d.]+ MiB became free/);
    expect(textOf((await admin.look('/images')).text)).not.toContain('became free');
    expect((await admin.look(path)).status).toBe(404);
  });
});

test('a viewer is offered nothing that would be refused', async () => {
  for (const path of ['/images', pathOf('web:v41'), '/builds', '/builds/refused']) {
    const { text, status } = await viewer.look(path);
    expect(status).toBe(200);
    expect(text).not.toMatch(/\/remove|\/builds\/new/);
    // But for the logout.
    expect(text.match(/method="post"/g)).toHaveLength(1);
  }
  expect((await viewer.look(`${pathOf('web:v41')}/remove`)).status).toBe(403);
  expect((await viewer.look('/builds/new')).status).toBe(403);
});
