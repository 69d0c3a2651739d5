import * as routes from '../contract/images.ts';
import { type Digest, parseImageRef } from '../core/digest.ts';
import { explained } from '../core/disk-trouble.ts';
import { WarmbootError } from '../core/errors.ts';
import type { HostPlace } from '../core/fleet-port.ts';
import { noImage } from '../core/no-image.ts';
import type { ImageLibrary, StoredImage } from '../core/ports.ts';
import type { BuildUseCases, DiskUseCases, ImageDetailUseCases, StoreUseCases } from '../core/use-cases.ts';
import { type AdminApp, byOf } from './admin-app.ts';
import { cursorOf, placeOf } from './cursor.ts';
import { diskRoute } from './disk-route.ts';
import { imageArchive } from './image-archive.ts';
import { sendBytes } from './send-bytes.ts';
import { sse } from './sse.ts';
import { tagsOf } from './views.ts';

/** The image store: what shows images, takes them away, checks them, and makes files and disks of them. */
export function addImageRoutes(
  app: AdminApp,
  plane: {
    readonly builds: Pick<BuildUseCases, 'image' | 'images'>;
    readonly images: StoreUseCases;
    readonly details: ImageDetailUseCases;
    readonly disks: DiskUseCases;
    readonly library: ImageLibrary;
    readonly stopping: AbortSignal;
  },
  shown: (image: StoredImage) => Promise<routes.ImageView>,
): void {
  const { builds, images: store, details, disks, library } = plane;

  app.openapi(routes.listImages, async (c) => {
    const { limit = routes.IMAGES_ON_A_PAGE, cursor } = c.req.valid('query');
    const after = placeOf(cursor);
    const all = await builds.images();
    const rest = after === null ? all : all.filter((image) => isAfter(image, after));
    const page = rest.slice(0, limit);
    const last = rest.length > limit ? page.at(-1) : undefined;
    const next = cursorOf(last ? { createdAt: last.createdAt, id: last.digest } : null);
    const counts = await details.hostCounts();
    const images = (await Promise.all(page.map(shown))).map((image) => withHosts(image, counts));
    return c.json({ images, next }, 200);
  });
  app.openapi(routes.getImage, async (c) => {
    const image = await builds.image(c.req.valid('param').image);
    const view = withHosts(await shown(image), await details.hostCounts());
    // Of a damaged index nothing more can be told.
    if (view.damaged && view.os === '') return c.json(view, 200);
    const index = await library.index(image.digest);
    const recorded = await details.layers(image.digest);
    return c.json(
      {
        ...view,
        filesystem: index?.filesystem?.type ?? null,
        append: index?.append ?? '',
        layers: recorded && [...recorded.layers],
        ...(recorded && { bytesBefore: recorded.bytesBefore }),
      },
      200,
    );
  });
  app.openapi(routes.getShared, async (c) => {
    const { digest } = await builds.image(c.req.valid('param').image);
    const { contentBytes, images } = await details.shared(digest);
    const tags = new Map((await builds.images()).map((image) => [image.digest, tagsOf(image)]));
    const told = images.map(({ parts, layerBytes, ...other }) => ({
      ...other,
      layerBytes: layerBytes && [...layerBytes],
      parts: [...parts],
      tags: tags.get(other.digest) ?? [],
    }));
    return c.json({ digest, contentBytes, images: told }, 200);
  });
  app.openapi(routes.removeImage, async (c) => {
    const removed = await store.remove(byOf(c), c.req.valid('param').image);
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
          const found = await store.check((progress) => {
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
    const found = await store.check(() => {}, gone);
    const damage = found.damage.map(({ what, images: users }) => ({ what, images: [...users] }));
    return c.json({ ...found, damage, affected: [...found.affected] }, 200);
  });

  const sendDisk = diskRoute(disks);
  app.openapi(routes.getDisk, (c) => sendDisk(c) as never);
}

function withHosts(
  image: routes.ImageView,
  counts: Awaited<ReturnType<ImageDetailUseCases['hostCounts']>>,
): routes.ImageView {
  return { ...image, hosts: { ...(counts.get(image.digest as Digest) ?? { assigned: 0, running: 0 }) } };
}

/** In the order of the list: who was removed meanwhile leaves the place of a page as good as it was. */
function isAfter({ createdAt, digest }: StoredImage, place: HostPlace): boolean {
  return createdAt === place.createdAt ? digest > place.id : createdAt > place.createdAt;
}
