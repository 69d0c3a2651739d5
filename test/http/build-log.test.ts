import { OpenAPIHono } from '@hono/zod-openapi';
import { expect, test } from 'vitest';
import type { BuildNews } from '../../server/core/use-cases.ts';
import type { AdminEnv } from '../../server/http/admin-app.ts';
import { addBuildRoutes } from '../../server/http/build-routes.ts';

test('the log of a build tells while it waits, numbers its entries, and ends with the build', async () => {
  const build = { id: 'b1', status: 'queued' };
  const builds = {
    find: async () => build,
    async *log(): AsyncGenerator<BuildNews> {
      yield { buildsBefore: 2 };
      yield { phase: 'docker', message: 'one', number: 1 };
    },
  };
  const app = new OpenAPIHono<AdminEnv>();
  const over = new AbortController().signal;
  app.use(async (c, next) => {
    c.set('by', { name: 'alice', tokenId: 'a', role: 'viewer', expiresAt: null, over });
    return next();
  });
  addBuildRoutes(app, { builds, stopping: new AbortController().signal } as never);
  const answer = await app.request('/api/v1/builds/b1/log', { headers: { authorization: 'Bearer x' } });
  expect(await answer.text()).toBe(
    'event: queued\ndata: {"buildsBefore":2}\n\n' +
      'event: entry\ndata: {"phase":"docker","message":"one"}\nid: 1\n\n' +
      `event: end\ndata: ${JSON.stringify(build)}\n\n`,
  );
  const rest = await app.request('/api/v1/builds/b1/log', {
    headers: { authorization: 'Bearer x', 'last-event-id': '1' },
  });
  expect(await rest.text()).not.toContain('event: entry');
});
