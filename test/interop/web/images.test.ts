import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MARKUP, type SimulatedImages, simulateImages } from '../../fixtures/simulated-images.ts';
import { type Browsing, browsing, fitsItsWidth, LOOKS, seriousFindings } from './browser.ts';

/** A build is a process of its own, which has to start. */
const PATIENCE = { interval: 500 };

let web: Browsing;
let images: SimulatedImages;
let docker: SlowDocker;
beforeAll(async () => {
  docker = await slowDocker();
  web = await browsing();
  await web.server.running.close();
  images = await simulateImages(web.server.dataDir);
  await web.server.restart();
});
afterAll(async () => {
  await web.close();
  docker.server.close();
});

type SlowDocker = { readonly server: Server; says(line: object): void; ends(): void };

/** A Docker that has no image, and pulls one as slowly as the test wants. */
async function slowDocker(): Promise<SlowDocker> {
  let pull: ServerResponse | null = null;
  const server = createServer((request, response) => {
    if (request.url?.includes('/images/create')) {
      pull = response;
      response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
    } else if (request.url?.endsWith('/_ping')) response.end('OK');
    else response.writeHead(404, { 'content-type': 'application/json' }).end('{"message":"no such image"}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  process.env.DOCKER_HOST = `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    server,
    says: (line) => void pull?.write(`${JSON.stringify(line)}\n`),
    ends: () => pull?.end(`${JSON.stringify({ error: 'the registry closed' })}\n`),
  };
}

test('from the list to an image, its layers, what it shares, and to the hosts that shall run it', async () => {
  const page = await web.open();
  await page.getByRole('link', { name: 'Images', exact: true }).click();
  await page.getByLabel('Tag, digest, OS or kernel').fill('web');
  await page.getByRole('button', { name: 'Show' }).click();
  await page.getByRole('link', { name: 'web:latest' }).click();
  await page.getByRole('img', { name: /5 layers to scale/ }).waitFor();
  await page.getByText('88 % shared').waitFor();
  await page.getByRole('status').getByText('Live').waitFor();
  // Somebody assigns it: the page tells it by itself.
  await web.server.admin('/api/v1/hosts', { body: { macs: ['52:54:00:0a:00:01'], image: 'web:v42' } });
  await page.getByRole('link', { name: '1 host shall run it' }).click();
  await page.waitForURL(/\/hosts\?image=sha256/);
});

test('a tag is removed after the question, by the keyboard alone', async () => {
  const page = await web.open();
  await page.goto(`/images/${images.digests['debian-13:latest']}`);
  await page.getByRole('link', { name: 'Remove the tag debian-13:2026-11' }).focus();
  await page.keyboard.press('Enter');
  await page.getByText('stays as debian-13:latest').waitFor();
  await page.getByRole('button', { name: 'Remove the tag' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('status').getByText('was removed').waitFor();
  expect(await page.getByRole('link', { name: /Remove the tag/ }).count()).toBe(1);
});

test('a build is ordered, its log comes line by line, and its end is told', async () => {
  const page = await web.open();
  await page.goto('/builds/new');
  await page.getByLabel('Name', { exact: true }).fill('pulled');
  await page.getByLabel('From a finished Docker image instead').fill('registry.example/web:2');
  await page.getByRole('button', { name: 'Go on' }).click();
  await page.getByText('The tag pulled:latest is new.').waitFor();
  await page.getByRole('button', { name: 'Build pulled:latest' }).click();
  const log = page.getByRole('region', { name: 'Log of the build' });
  await log.getByText('pulling registry.example/web:2').first().waitFor();
  docker.says({ status: 'Pull complete', id: 'layer-one' });
  await log.getByText('layer layer-one pulled').waitFor();
  docker.says({ status: 'Pull complete', id: MARKUP });
  await log.getByText(`layer ${MARKUP} pulled`).waitFor();
  expect(await log.getByText('layer layer-one pulled').count()).toBe(1);
  await page.getByText('running', { exact: true }).waitFor();
  docker.ends();
  await page.getByText('failed', { exact: true }).waitFor();
  await page
    .getByText(/could not be pulled \(the registry closed\)/)
    .first()
    .waitFor();
});

test('without JavaScript a build that runs shows its log as far as it is', async () => {
  const page = await web.open({ javaScript: false });
  const { json } = await web.server.admin('/api/v1/builds', {
    body: { name: 'again', from: 'registry.example/again:1' },
  });
  await page.goto(`/builds/${json.id}`);
  const log = page.getByRole('region', { name: 'Log of the build' });
  await expect
    .poll(async () => {
      await page.reload();
      return log.textContent();
    }, PATIENCE)
    .toContain('pulling registry.example/again:1');
  docker.ends();
  await expect
    .poll(async () => {
      await page.reload();
      return page.textContent('h1');
    }, PATIENCE)
    .toContain('failed');
});

describe.each(LOOKS)('dark: $dark, phone: $phone', (look) => {
  test('axe finds nothing serious, and nothing is wider than the page', async () => {
    const page = await web.open(look);
    const one = `/images/${images.digests['web:v42']}`;
    const paths = [
      '/images',
      '/images?q=no-such',
      one,
      `${one}/remove?tag=web%3Av42`,
      `/images/${images.digests['imported:latest']}`,
      `/images/${images.digests['markup:latest']}`,
      '/builds',
      '/builds/refused',
      '/builds/broken',
      '/builds/good',
      '/builds/new',
      '/builds/new?name=debian-13&size=4GiB',
    ];
    for (const path of paths) {
      await page.goto(path);
      expect([path, ...(await seriousFindings(page))]).toEqual([path]);
      expect([path, await fitsItsWidth(page)]).toEqual([path, true]);
    }
  });
});
