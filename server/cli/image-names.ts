import type { HostView } from '../contract/hosts.ts';
import type { Client } from './client.ts';
import { everyImage } from './every-image.ts';

/** Names of images for people: what the operator of this host called it, else a tag of it, else its first digits. */
export class ImageNames {
  readonly #tags = new Map<string, string>();

  /** Asks for the tags only when a host runs or holds an image that it was not given by a name. */
  static async for(hosts: readonly HostView[], client: Client): Promise<ImageNames> {
    const names = new ImageNames();
    const isUnnamed = (host: HostView): boolean =>
      digestsOf(host).some((digest) => nameByOrder(digest, host) === undefined);
    if (!hosts.some(isUnnamed)) return names;
    const { data: images } = await everyImage(client);
    for (const { digest, tags } of images) if (tags[0] !== undefined) names.#tags.set(digest, tags[0]);
    return names;
  }

  of(digest: string | null, host: HostView): string | null {
    if (digest === null) return null;
    return nameByOrder(digest, host) ?? this.#tags.get(digest) ?? digest.replace(/^sha256:/, '').slice(0, 12);
  }
}

function digestsOf({ observation }: HostView): string[] {
  if (observation === null) return [];
  const slots = Object.values(observation.slots).map(({ digest }) => digest);
  return [observation.digest, ...slots].filter((digest) => digest !== null);
}

function nameByOrder(digest: string, { image, attempt }: HostView): string | undefined {
  if (image?.digest === digest) return image.ref;
  return attempt?.digest === digest ? attempt.image : undefined;
}
