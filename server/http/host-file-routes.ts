import { createHash } from 'node:crypto';
import * as routes from '../contract/host-files.ts';
import { modeText, ownerText } from '../core/file-set.ts';
import type { Host } from '../core/host.ts';
import type { HostFileUseCases } from '../core/host-file-port.ts';
import type { TarFile } from '../core/ustar.ts';
import { type AdminApp, byOf, expectedIn } from './admin-app.ts';
import { namesWeakly } from './etag.ts';
import { memorySource } from './memory-source.ts';
import { sendBytes } from './send-bytes.ts';

/** The files of single hosts. */
export function addHostFileRoutes(app: AdminApp, files: HostFileUseCases): void {
  app.openapi(routes.listHostFiles, async (c) => {
    const { host, files: all } = await files.list(c.req.valid('param').mac);
    const { files: set, revision } = host.enrolment;
    const etag = `"${tagOf(host, set?.sha256 ?? 'none')}"`;
    if (namesWeakly(c.req.header('if-none-match'), etag)) return c.body(null, 304, { etag });
    return c.json({ files: all.map(fileView), set, revision }, 200, { etag });
  });
  app.openapi(routes.getHostFile, async (c) => {
    const { mac, path } = c.req.valid('param');
    const { host, file } = await files.find(mac, path);
    const source = memorySource(file.content, tagOf(host, sha256Of(file)));
    return sendBytes(c, source, 'application/octet-stream', 'no-store') as never;
  });
  app.openapi(routes.putHostFile, async (c) => {
    const { mac, path } = c.req.valid('param');
    const content = new Uint8Array(await c.req.arrayBuffer());
    const said = { path, content, ...c.req.valid('query') };
    const { file, isNew } = await files.put(byOf(c), mac, said, expectedIn(c));
    return c.json(fileView(file), isNew ? 201 : 200);
  });
  app.openapi(routes.removeHostFile, async (c) => {
    const { mac, path } = c.req.valid('param');
    await files.remove(byOf(c), mac, path, expectedIn(c));
    return c.body(null, 204);
  });
}

function fileView(file: TarFile): routes.HostFileView {
  const { path, mode, content } = file;
  return {
    path,
    mode: modeText(mode),
    owner: ownerText(file),
    bytes: content.length,
    sha256: sha256Of(file),
  };
}

function sha256Of({ content }: TarFile): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Begins with the host's revision, so that it is as good in If-Match as the host's own. */
function tagOf({ enrolment }: Host, hex: string): string {
  return `${enrolment.revision}.${hex.slice(0, 32)}`;
}
