import type { Context, Hono } from 'hono';
import { problem } from './problem.ts';

/**
 * What no route answers: 405 with the methods that the address takes (RFC 9110, 15.5.6), else 404.
 * @param app whose routes they are; all of them are there when the first request comes
 * @param plane as it is called in the sentence
 */
export function nothingHere(app: Pick<Hono, 'routes'>, plane: string): (c: Context) => Response {
  let patterns: readonly { readonly method: string; readonly path: RegExp }[] | null = null;
  return (c) => {
    patterns ??= app.routes
      .filter(({ method }) => method !== 'ALL')
      .map(({ method, path }) => ({ method, path: patternOf(path) }));
    const { path, method } = c.req;
    const taken = new Set(patterns.filter((each) => each.path.test(path)).map((each) => each.method));
    const where = `${path.slice(0, 200)} on the ${plane} plane`;
    if (taken.size === 0) return problem(c, 404, `There is nothing at ${where}.`);
    if (taken.has('GET')) taken.add('HEAD');
    const allow = [...taken].toSorted().join(', ');
    c.header('allow', allow);
    return problem(c, 405, `${method} is not for ${where}, which takes ${allow}.`);
  };
}

/** `/hosts/:mac` fits one part of a path in the place of its name, `/:path{.+}` the rest of it. */
function patternOf(path: string): RegExp {
  const parts = path
    .split('/')
    .map((part) =>
      part.startsWith(':') ? (part.endsWith('{.+}') ? '.+' : '[^/]+') : part.replaceAll(/[^\w-]/g, '\\$&'),
    );
  return new RegExp(`^${parts.join('/')}$`);
}
