import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Hono } from 'hono';
import { secured } from './security-headers.ts';
import type { WebEnv } from './visit.ts';

/** Each file of `client/`, by name. */
const FILES = {
  'style.css': 'text/css; charset=utf-8',
  'icon.svg': 'image/svg+xml',
  'page.js': 'text/javascript; charset=utf-8',
  'live.js': 'text/javascript; charset=utf-8',
  'follow.js': 'text/javascript; charset=utf-8',
  'take-over.js': 'text/javascript; charset=utf-8',
  'build-log.js': 'text/javascript; charset=utf-8',
  'times.js': 'text/javascript; charset=utf-8',
  'keys.js': 'text/javascript; charset=utf-8',
  'choose.js': 'text/javascript; charset=utf-8',
  'rates.js': 'text/javascript; charset=utf-8',
} as const;

/** Stylesheet and scripts, from memory. A browser asks each time whether its copy is still good: after an update none is of before. */
export function addStatic(app: Hono<WebEnv>): void {
  for (const [name, type] of Object.entries(FILES)) {
    const content = readFileSync(new URL(`client/${name}`, import.meta.url));
    const etag = `"${createHash('sha256').update(content).digest('base64url')}"`;
    app.get(`/static/${name}`, secured, (c) => {
      const headers = { etag, 'cache-control': 'no-cache' };
      const known = (c.req.header('if-none-match') ?? '')
        .split(',')
        .map((tag) => tag.trim().replace(/^W\//, ''));
      if (known.includes(etag)) return c.body(null, 304, headers);
      return c.body(Uint8Array.from(content), 200, { ...headers, 'content-type': type });
    });
  }
}
