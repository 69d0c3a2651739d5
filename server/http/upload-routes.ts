import type { Context } from 'hono';
import type { ImageView } from '../contract/images.ts';
import * as routes from '../contract/uploads.ts';
import type { StoredImage } from '../core/ports.ts';
import type { BuildUseCases, UploadProgress, UploadUseCases, UploadView } from '../core/use-cases.ts';
import { type AdminApp, byOf } from './admin-app.ts';

/** How images come from files and from other servers. */
export function addUploadRoutes(
  app: AdminApp,
  { builds, uploads }: { readonly builds: Pick<BuildUseCases, 'image'>; readonly uploads: UploadUseCases },
  shown: (image: StoredImage) => Promise<ImageView>,
): void {
  app.openapi(routes.beginUpload, async (c) => {
    const { index, name, tag } = c.req.valid('json');
    return c.json(listed(await uploads.begin(index, name, tag ?? 'latest')), 201);
  });
  app.openapi(routes.getUpload, async (c) =>
    c.json(listed(await uploads.find(c.req.valid('param').id)), 200),
  );
  app.openapi(routes.putUploadFile, async (c) => {
    const { id, file } = c.req.valid('param');
    const { offset } = c.req.valid('query');
    return c.json(wired(await uploads.putFile(id, file, offset ?? 0, bodyOf(c))), 200);
  });
  app.openapi(routes.putUploadFrames, async (c) =>
    c.json(wired(await uploads.putFrames(c.req.valid('param').id, bodyOf(c))), 200),
  );
  app.openapi(routes.commitUpload, async (c) => {
    const digest = await uploads.commit(byOf(c), c.req.valid('param').id);
    return c.json(await shown(await builds.image(digest)), 201);
  });
  app.openapi(routes.removeUpload, async (c) => {
    await uploads.remove(c.req.valid('param').id);
    return c.body(null, 204);
  });
}

function wired({ files, ...progress }: UploadProgress) {
  return { ...progress, files: [...files] };
}

function listed({ missing, ...progress }: UploadView) {
  return { ...wired(progress), missing: [...missing] };
}

/** Web streams are async iterables in Node; the DOM's type does not say so. */
function bodyOf(c: Context): AsyncIterable<Uint8Array> {
  return (c.req.raw.body ?? noBytes()) as unknown as AsyncIterable<Uint8Array>;
}

async function* noBytes(): AsyncGenerator<Uint8Array> {}
