import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Hono } from 'hono';
import { ROOT } from '../lib/product.ts';
import { secured } from './security-headers.ts';
import type { WebEnv } from './visit.ts';

/** Each file of `client/` that browsers get, by name. */
const TYPES = {
  'style.css': 'text/css; charset=utf-8',
  'icon.svg': 'image/svg+xml',
  'page.js': 'text/javascript; charset=utf-8',
  'live.js': 'text/javascript; charset=utf-8',
  'follow.js': 'text/javascript; charset=utf-8',
  'take-over.js': 'text/javascript; charset=utf-8',
  'times.js': 'text/javascript; charset=utf-8',
  'build-log.js': 'text/javascript; charset=utf-8',
  'keys.js': 'text/javascript; charset=utf-8',
  'choose.js': 'text/javascript; charset=utf-8',
  'rates.js': 'text/javascript; charset=utf-8',
} as const;

export type Assets = {
  /** Another for other files: an open page that meets another is of an older server. */
  readonly build: string;
  readonly files: readonly Asset[];
};
type Asset = {
  readonly name: string;
  readonly type: string;
  readonly content: Uint8Array<ArrayBuffer>;
  readonly etag: string;
};

export function readAssets(): Assets {
  const files = Object.entries(TYPES).map(([name, type]) => {
    const content = Uint8Array.from(readFileSync(join(ROOT, 'server/web/client', name)));
    return { name, type, content, etag: `"${hash(content)}"` };
  });
  return { build: hash(files.map(({ etag }) => etag).join()), files };
}

function hash(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('base64url');
}

/** Stylesheet and scripts, from memory. A browser asks each time whether its copy is still good: after an update none is of before. */
export function addAssets(app: Hono<WebEnv>, { files }: Assets): void {
  for (const { name, type, content, etag } of files)
    app.get(`/static/${name}`, secured, (c) => {
      const headers = { etag, 'cache-control': 'no-cache' };
      const known = (c.req.header('if-none-match') ?? '').split(',').map((tag) => tag.trim());
      if (known.some((tag) => tag.replace(/^W\//, '') === etag)) return c.body(null, 304, headers);
      return c.body(content, 200, { ...headers, 'content-type': type });
    });
}
