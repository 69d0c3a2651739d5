/** What the OpenAPI file says of the whole API; the rest is made from the routes. */
export const document = {
  openapi: '3.1.0',
  info: {
    title: 'Warmboot',
    version: '1',
    description:
      'Hosts, images, builds and what operators do with them. Errors are problem documents (RFC 9457). `x-role` is the least role that a token needs.',
    license: { name: 'MIT', identifier: 'MIT' },
  },
  servers: [{ url: '/', description: 'the admin plane' }],
  security: [{ token: [] }],
};

type Operation = {
  operationId?: string;
  parameters?: unknown[];
  requestBody?: unknown;
  responses: Record<string, unknown>;
  'x-role'?: string;
  security?: readonly unknown[];
};
type Document = { paths?: Record<string, unknown> };

/** What any route may answer, so that none has to say it. */
const ALWAYS = {
  401: 'the token is missing or wrong',
  403: 'the token does not allow this',
  429: 'too much at once; Retry-After says when to come again',
  500: 'the server failed; its log says how',
  503: 'not now; try again',
};

/** @returns the document with what is true of every route written at each of them */
export function completed<T extends Document>(openapi: T): T {
  const paths = Object.entries(openapi.paths ?? {}).map(([path, routes]) => [
    // A name whose value has slashes is a name like others.
    path.replaceAll('{.+}', ''),
    Object.fromEntries(
      Object.entries(routes as Record<string, Operation>).map(([method, route]) => [
        method,
        operation(method, path, route),
      ]),
    ),
  ]);
  return { ...openapi, paths: Object.fromEntries(paths) };
}

function operation(method: string, path: string, route: Operation): Operation {
  const { responses, parameters = [], requestBody, ...rest } = route;
  const always = {
    ...ALWAYS,
    ...(requestBody !== undefined && { 413: 'the body is too large' }),
    ...(['post', 'put', 'patch'].includes(method) && {
      415: 'the body is of another type than is asked for, or encoded',
    }),
  };
  const key = method === 'post' ? [IDEMPOTENCY_KEY] : [];
  return {
    operationId: nameOf(method, path),
    // Where no token is needed, no role is.
    ...(route.security?.length !== 0 && { 'x-role': method === 'get' ? 'viewer' : 'operator' }),
    ...rest,
    parameters: [...parameters, ...key],
    ...(requestBody !== undefined && { requestBody }),
    responses: { ...Object.fromEntries(Object.entries(always).map(refusal)), ...responses },
  };
}

const IDEMPOTENCY_KEY = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  schema: { type: 'string', maxLength: 257 },
  description:
    'sent again with the same key within 24 hours, the request is answered as the first time and not repeated',
};

function refusal([status, description]: [string, string]): [string, unknown] {
  const schema = { $ref: '#/components/schemas/Problem' };
  return [status, { description, content: { 'application/problem+json': { schema } } }];
}
/** `POST /api/v1/rollouts/{id}/pause` → `postRolloutsIdPause`, for a route that gives itself no better name. */
function nameOf(method: string, path: string): string {
  const words = path.replace(/^\/api\/v1/, '').match(/[A-Za-z0-9]+/g) ?? [];
  return method + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}
