import { createRoute, z } from '@hono/zod-openapi';

/** What programs ask that watch over the server. */

export const getMetrics = createRoute({
  method: 'get',
  path: '/metrics',
  summary: 'Metrics in the text format of Prometheus',
  responses: {
    200: { content: { 'text/plain': { schema: z.string() } }, description: 'version 0.0.4' },
  },
});
