import * as routes from '../contract/profiles.ts';
import { WarmbootError } from '../core/errors.ts';
import type { Profile } from '../core/profile.ts';
import type { ProfileUseCases } from '../core/use-cases.ts';
import { type AdminApp, byOf, expectedIn } from './admin-app.ts';
import { namesWeakly } from './etag.ts';

/** Settings for many hosts at once. */
export function addProfileRoutes(app: AdminApp, profiles: ProfileUseCases): void {
  app.openapi(routes.listProfiles, async (c) =>
    c.json({ profiles: (await profiles.list()).map(profileView) }, 200),
  );
  app.openapi(routes.getProfile, async (c) => {
    const profile = await profiles.find(c.req.valid('param').name);
    const etag = etagOf(profile);
    if (namesWeakly(c.req.header('if-none-match'), etag)) return c.body(null, 304, { etag });
    return c.json(profileView(profile), 200, { etag });
  });
  app.openapi(routes.putProfile, async (c) => {
    const expected = isNewOnly(c.req.header('if-none-match')) ? ('new' as const) : expectedIn(c);
    const { name } = c.req.valid('param');
    const profile = await profiles.put(byOf(c), name, c.req.valid('json'), expected);
    return c.json(profileView(profile), 200, { etag: etagOf(profile) });
  });
  app.openapi(routes.removeProfile, async (c) => {
    await profiles.remove(byOf(c), c.req.valid('param').name, expectedIn(c));
    return c.body(null, 204);
  });
}

/** @throws WarmbootError for tags: a condition that nobody looks at must not be passed over */
function isNewOnly(ifNoneMatch: string | undefined): boolean {
  if (ifNoneMatch === undefined || ifNoneMatch.trim() === '*') return ifNoneMatch !== undefined;
  throw new WarmbootError(
    'malformed',
    'If-None-Match of a PUT is *, for a new one only. For another condition use If-Match.',
  );
}

/** A profile shows nothing but what its revision is about. */
function etagOf({ revision }: Profile): string {
  return `"${revision}"`;
}

function profileView({ name, settings, revision, createdAt }: Profile): routes.ProfileView {
  const { layout, diskRule, append, switchMode, trialSeconds, rateBytes, readBack } = settings;
  return {
    name,
    layout: layout ?? null,
    disk: diskRule ?? null,
    append: append ?? null,
    switch: switchMode ?? null,
    trialSeconds: trialSeconds ?? null,
    rate: rateBytes ?? null,
    readBack: readBack ?? null,
    revision,
    createdAt,
  };
}
