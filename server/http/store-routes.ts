import type { HttpBindings } from '@hono/node-server';
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { ImageView } from '../contract/admin-plane.ts';
import * as routes from '../contract/admin-routes.ts';
import { parseImageRef } from '../core/digest.ts';
import { explained } from '../core/disk-trouble.ts';
import { WarmbootError } from '../core/errors.ts';
import { noImage } from '../core/no-image.ts';
import type { ImageLibrary, StoredImage } from '../core/ports.ts';
import type {
  BuildUseCases,
  StoreUseCases,
  UploadProgress,
  UploadUseCases,
  UploadView,
} from '../core/use-cases.ts';
import { imageArchive } from './image-archive.ts';
import { sendBytes } from './send-bytes.ts';
import { sse } from './sse.ts';

type Env = { Bindings: HttpBindings };

/** The index of an image of some TiB, as a JSON string. */
const MAX_INDEX_BYTES = 256 * 1024 * 1024;

/** The image store: what takes images away, checks them, and carries them from server to server. */
export function addStoreRoutes(
  app: OpenAPIHono<Env>,
  plane: {
    readonly builds: Pick<BuildUseCases, 'image'>;
    readonly images: StoreUseCases;
    readonly uploads: UploadUseCases;
    readonly library: ImageLibrary;
    readonly stopping: AbortSignal;
  },
  shown: (image: StoredImage) => Promise<ImageView>,
): void {
  const { builds, images, uploads, library } = plane;

  app.openapi(routes.removeImage, async (c) => {
    const removed = await images.remove(c.req.valid('param').image);
    return c.json({ ...removed, keptFor: [...removed.keptFor] }, 200);
  });
  app.openapi(routes.exportImage, async (c) => {
    const text = c.req.valid('param').image;
    const { digest, tags } = await builds.image(text);
    const ref = parseImageRef(text);
    const archive = await imageArchive(library, digest, ref?.kind === 'tag' ? ref : (tags[0] ?? null));
    if (!archive) throw noImage('not-found', text);
    // Another build of the name may come: only the digest's bytes are for ever.
    return (await sendBytes(c, archive, 'application/x-tar', 'no-cache')) as never;
  });
  app.openapi(routes.checkStore, async (c) => {
    if (c.req.header('accept')?.includes('text/event-stream'))
      return sse(c, async (stream, gone) => {
        const signal = AbortSignal.any([gone, plane.stopping]);
        try {
          const found = await images.check((progress) => {
            void stream.writeSSE({ event: 'progress', data: JSON.stringify(progress) });
          }, signal);
          await stream.writeSSE({ event: 'end', data: JSON.stringify(found) });
        } catch (error) {
          const told = explained(error, 'check again');
          if (!(told instanceof WarmbootError)) throw error;
          await stream.writeSSE({ event: 'refused', data: JSON.stringify({ detail: told.message }) });
        }
      }) as never;
    const gone = AbortSignal.any([c.req.raw.signal, plane.stopping]);
    const found = await images.check(() => {}, gone);
    const damage = found.damage.map(({ what, images: users }) => ({ what, images: [...users] }));
    return c.json({ ...found, damage, affected: [...found.affected] }, 200);
  });

  app.use('/api/v1/uploads', bodyLimit({ maxSize: MAX_INDEX_BYTES }));
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
    const digest = await uploads.commit(c.req.valid('param').id);
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
