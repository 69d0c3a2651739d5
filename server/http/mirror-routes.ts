import * as routes from '../contract/mirrors.ts';
import type { MirrorEdition } from '../core/mirrors.ts';
import type { MirrorUseCases } from '../core/mirrors-port.ts';
import { type AdminApp, byOf } from './admin-app.ts';

import { namesStrongly } from './etag.ts';
import { problem } from './problem.ts';

export function addMirrorRoutes(app: AdminApp, { mirrors }: { readonly mirrors: MirrorUseCases }): void {
  app.openapi(routes.getMirrors, async (c) => {
    const edition = await mirrors.edition();
    return c.json(view(edition), 200, { etag: etagOf(edition) });
  });
  app.openapi(routes.putMirrors, async (c) => {
    const expected = c.req.header('if-match');
    if (expected === undefined)
      return problem(
        c,
        428,
        'Say which edition of the mirrors you change: If-Match with the ETag of GET.',
      ) as never;
    const present = await mirrors.edition();
    const wanted = namesStrongly(expected, etagOf(present)) ? present.version : -1;
    const edition = await mirrors.set(byOf(c), c.req.valid('json').mirrors, wanted);
    if (edition) return c.json(view(edition), 200, { etag: etagOf(edition) });
    return problem(c, 412, 'The mirrors were changed meanwhile. Read them again, then change them.') as never;
  });
}

function etagOf({ version }: MirrorEdition): string {
  return `"mirrors-${version}"`;
}

function view({ mirrors }: MirrorEdition) {
  return { mirrors: mirrors.map((mirror) => ({ ...mirror })) };
}
