import * as routes from '../contract/keys.ts';
import type { KeyUseCases, KeyView } from '../core/trust-port.ts';
import { type AdminApp, byOf } from './admin-app.ts';

const DEFAULT_OVERLAP_SECONDS = 7 * 86_400;
const HOSTS_SHOWN = 100;

/** The keys that sign manifests. */
export function addKeyRoutes(app: AdminApp, keys: KeyUseCases): void {
  app.openapi(routes.listKeys, async (c) => c.json({ keys: (await keys.list()).map(keyView) }, 200));
  app.openapi(routes.rotateKey, async (c) => {
    const { overlapSeconds = DEFAULT_OVERLAP_SECONDS } = c.req.valid('json');
    const key = await keys.rotate(byOf(c), overlapSeconds * 1000);
    return c.json(keyView({ key, dependents: [] }), 201);
  });
  app.openapi(routes.dropKey, async (c) => {
    await keys.drop(byOf(c), c.req.valid('param').id, c.req.valid('query').force === 'true');
    return c.body(null, 204);
  });
}

function keyView({ key, dependents }: KeyView): routes.KeyWire {
  const hosts = dependents.slice(0, HOSTS_SHOWN).map(({ mac }) => mac);
  return { ...key, dependents: dependents.length, hosts };
}
