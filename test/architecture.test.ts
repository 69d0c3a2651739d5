import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

/** What the joiner of rooms may import: every room. */
const JOINS = [
  ...[
    'blobs',
    'build',
    'contract',
    'control',
    'core',
    'dhcp',
    'disks',
    'doctor',
    'http',
    'keys',
    'lib',
    'metrics',
    'store',
    'tftp',
    'web',
    'webhooks',
  ].map((room) => `server/${room}`),
  'server/config.ts',
  'pino',
  'node:',
];

/**
 * The architecture, as a table: which room may import which rooms and packages. `node:` stands for Node's own modules;
 * a room may always import itself. `app.ts` alone, with the pieces of it in `app/`, joins rooms; `main.ts` alone reads the outside
 * world.
 */
const ALLOW: Readonly<Record<string, readonly string[]>> = {
  'server/core': [],
  'server/contract': ['server/core', 'zod', '@hono/zod-openapi'],
  'server/control': ['server/core'],
  'server/store': ['server/core', 'better-sqlite3', 'node:'],
  'server/blobs': ['server/core', 'server/lib', 'zstd-napi', 'node:'],
  'server/filesystems': ['server/core'],
  'server/disks': ['server/core', 'server/filesystems', 'node:'],
  'server/docker-context': ['server/core', 'tar-stream', 'node:'],
  'server/build': [
    'server/core',
    'server/docker-context',
    'server/contract',
    'server/filesystems',
    'server/lib',
    'dockerode',
    'execa',
    'zstd-napi',
    'node:',
  ],
  'server/webhooks': ['server/core', 'node:'],
  'server/keys': ['@peculiar/x509', 'reflect-metadata', 'node:'],
  'server/metrics': ['server/core', 'prom-client'],
  'server/tftp': ['server/core', 'server/udp', 'tftp2', 'node:'],
  'server/udp': ['node:'],
  'server/http': [
    'server/core',
    'server/contract',
    'hono',
    '@hono/node-server',
    '@hono/zod-openapi',
    'zod',
    'node:',
  ],
  'server/web': ['server/contract', 'server/lib', 'server/words', 'hono', '@hono/node-server', 'node:'],
  'server/words': [],
  'server/lib': ['node:'],
  'server/cli': [
    'server/contract',
    'server/words',
    'server/docker-context',
    'commander',
    'undici',
    'zod',
    'node:',
  ],
  'server/config.ts': ['server/core'],
  'server/dhcp': ['server/core', 'server/udp', 'node:'],
  'server/doctor': ['server/core', 'node:'],
  'server/build-child.ts': ['server/core', 'server/build', 'server/blobs', 'node:'],
  'server/check-child.ts': ['server/core', 'server/blobs', 'node:'],
  'server/snapshot-child.ts': ['server/store', 'node:'],
  'server/app': JOINS,
  'server/app.ts': ['server/app', ...JOINS],
  'server/main.ts': [
    'server/app.ts',
    'server/app',
    'server/cli',
    'server/config.ts',
    'server/lib',
    'package.json',
    'pino',
    'node:',
  ],
  'server/start.ts': ['server/main.ts', 'package.json', 'node:'],
  lab: ['execa', 'node:'],
};

/** What only these may touch, whatever they import. */
const ONLY_IN = [
  {
    what: /\bprocess\.(env|argv|stdin|exitCode)\b/,
    where: ['server/start.ts', 'server/main.ts', 'server/build-child.ts', 'lab'],
  },
  {
    what: /\bprocess\.on\(\s*'SIG/,
    where: [
      'server/main.ts',
      'server/build-child.ts',
      'server/check-child.ts',
      'server/snapshot-child.ts',
      'lab',
    ],
  },
  { what: /\b(SELECT|INSERT INTO|UPDATE|DELETE FROM)\s/, where: ['server/store'] },
  { what: /\b(Date\.now|Math\.random)\(|new Date\(\)/, where: NOT_CORE() },
];

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s[^'"]*?from\s*'([^']+)'|(?:^|\n)\s*import\s*'([^']+)'|import\('([^']+)'\)/g;

const files = ['server', 'lab'].flatMap((folder) =>
  readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .map((name) => path.posix.join(folder, name.replaceAll(path.sep, '/'))),
);

describe('the law of the rooms', () => {
  it('sees the files', () => {
    expect(files.length).toBeGreaterThan(100);
  });

  it.each(files)('%s', (file) => {
    const room = roomOf(file);
    const allowed = ALLOW[room];
    expect(allowed, `${room} is no room of the table: does a newcomer look for it there?`).toBeDefined();
    const source = readFileSync(path.join(ROOT, file), 'utf8');
    const foreign = importsOf(file, source).filter((target) => target !== room && !allowed?.includes(target));
    expect(foreign, `${file} imports what ${room} may not`).toEqual([]);
    const code = withoutComments(source);
    for (const { what, where } of ONLY_IN) {
      const outside = !where.some((place) => file === place || file.startsWith(`${place}/`));
      if (outside) expect(code, `${file} touches what is not its own`).not.toMatch(what);
    }
  });
});

function NOT_CORE(): string[] {
  return Object.keys(ALLOW).filter((room) => room !== 'server/core' && room !== 'server/control');
}

/** `server/core/host.ts` → `server/core`; files of `server/` itself are rooms of their own. */
function roomOf(file: string): string {
  const [top = '', second = '', third] = file.split('/');
  return top === 'server' ? (third === undefined ? file : `${top}/${second}`) : top;
}

function importsOf(file: string, source: string): string[] {
  return [...source.matchAll(IMPORT)].map(([, from, bare, dynamic]) => {
    const target = from ?? bare ?? dynamic ?? '';
    if (target.startsWith('node:')) return 'node:';
    if (!target.startsWith('.')) return target.split('/', target.startsWith('@') ? 2 : 1).join('/');
    return roomOf(path.posix.join(path.posix.dirname(file), target));
  });
}

function withoutComments(source: string): string {
  return source.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|[^:])\/\/.*$/gm, '$1');
}
