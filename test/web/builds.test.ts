import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runningServer, type TestServer } from '../fixtures/running-server.ts';
import { MARKUP, simulateImages } from '../fixtures/simulated-images.ts';
import { loggedIn, type PageClient } from './page-client.ts';

let server: TestServer;
let admin: PageClient;
beforeAll(async () => {
  server = await runningServer();
  await server.running.close();
  await simulateImages(server.dataDir);
  await server.restart();
  admin = await loggedIn(server);
});
afterAll(() => server.close());

const textOf = (page: string) => page.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ');
const look = async (path: string) => {
  const { text } = await admin.look(path);
  expect(text).not.toMatch(/<img|<script>/);
  return { text, words: textOf(text) };
};

test('builds, newest first, with what came of them', async () => {
  const { words, text } = await look('/builds');
  expect(words.indexOf('web:v42')).toBeLessThan(words.indexOf('db:latest'));
  expect(words).toContain('not accepted: curl, fstab');
  expect(words).toContain('1 min 33 s');
  expect(text).toContain('href="/builds/refused"');
});

test('a build that was refused: each line to add, and all of them together', async () => {
  const { text, words } = await look('/builds/refused');
  expect(words).toContain('2 checks failed');
  expect(words).toContain('9 checks passed');
  expect(words).toContain('RUN apt-get update &amp;&amp; apt-get install -y --no-install-recommends curl');
  expect(text).toContain('<pre tabindex="0" aria-label="Lines to add">RUN apt-get');
});

test('a log is there without a script, its progress as one line', async () => {
  const { text, words } = await look('/builds/good');
  expect(words).toContain('Get:1 http://mirror.example');
  expect(words).toContain('&lt;img src=x onerror=alert(1)&gt;');
  expect(words.match(/saving layers/g)).toHaveLength(1);
  expect(words).toContain('saving layers (668 MiB of 700 MiB)');
  expect(text).not.toContain('data-log=');
  expect(text).not.toContain('build-log.js');
});

test('an error of a Dockerfile is text', async () => {
  const { words } = await look('/builds/broken');
  expect(words).toContain('The Dockerfile failed: | &lt;img');
});

test('no such build', async () => {
  const { status, text } = await admin.look(`/builds/${encodeURIComponent(MARKUP)}`);
  expect(status).toBe(404);
  expect(text).not.toContain('<img');
});

describe('a new build', () => {
  test('is chosen among what the server has', async () => {
    const { text } = await look('/builds/new');
    expect(text).toContain('<option value="debian-13">ext4, ');
    expect(text).toContain('method="get" action="/builds/new"');
  });
  test('says what will happen, to which tag, and what is left alone', async () => {
    const { words } = await look('/builds/new?name=debian-13&size=4GiB');
    expect(words).toContain('builds the Dockerfile in images/debian-13 .');
    expect(words).toMatch(
      /The tag debian-13:latest moves to the new image, if that is another one than [0-9a-f]{8} /,
    );
    expect(words).toContain('size : 4GiB');
    const fresh = await look(`/builds/new?name=fresh&from=${encodeURIComponent('registry.example/x:2')}`);
    expect(fresh.words).toContain('The tag fresh:latest is new.');
    expect(fresh.words).toContain('takes the image registry.example/x:2 , or pulls it');
    await look(`/builds/new?name=${encodeURIComponent(MARKUP)}&append=${encodeURIComponent(MARKUP)}`);
    await look(
      `/builds/new?edit=1&name=${encodeURIComponent(MARKUP)}&arguments=${encodeURIComponent(MARKUP)}`,
    );
  });
  test('of a name that the server does not know is not offered', async () => {
    const { text, words } = await look('/builds/new?name=no-such&append=quiet');
    expect(words).toContain('The server has no folder images/no-such');
    expect(text).toContain('/builds/new?name=no-such&amp;append=quiet&amp;edit=yes');
  });
  test('is ordered, and its page follows', async () => {
    process.env.DOCKER_HOST = 'tcp://127.0.0.1:9';
    const answer = await admin.send('/builds/new?name=debian-13&tag=t', '/builds');
    expect(answer.status).toBe(303);
    const path = answer.headers.location ?? '';
    expect(path).toMatch(/^\/builds\/[\w-]+$/);
    expect((await look(path)).words).toContain('The build has begun.');
    await expect.poll(async () => (await look(path)).words).toContain('Docker does not answer');
  });
  test('what the API refuses is shown, and nothing began', async () => {
    const before = (await server.admin('/api/v1/builds')).json.builds.length;
    const answer = await admin.send('/builds/new?name=debian-13&size=huge', '/builds');
    expect(answer.status).toBe(400);
    expect(textOf(answer.text)).toContain('a size is a whole number and MiB, GiB or TiB');
    expect((await server.admin('/api/v1/builds')).json.builds).toHaveLength(before);
  });
});
