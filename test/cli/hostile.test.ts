import { expect, test } from 'vitest';
import { adminServer } from './admin-server.ts';
import { attempt, host, image, MAC, ONE } from './records.ts';
import { run } from './run.ts';

/** What a host, another operator or a Dockerfile may have written, on its way to this operator's terminal. */
const EVIL = [
  '\x1b[2J\x1b[1;1H',
  '\x1b]52;c;cm0gLXJmIC8=\x07',
  '\x1b]8;;http://evil.example\x1b\\',
  '\x9b31m',
  '\u202etxt.exe',
  '\u061c',
  'x\rroot@server # ',
].join('');

/** Everything in an answer that is free text. */
const reason = `waits ${EVIL}`;
const next = { action: 'none', reason, until: EVIL, hint: EVIL, slot: null };
const evil = host({
  next,
  held: EVIL,
  append: EVIL,
  labels: { 'a\x1b[2J\u202e': 'x\x9b2J\rroot@server' },
  image: { ref: `one${EVIL}`, digest: ONE },
  attempt: attempt({ reason, image: EVIL, phase: EVIL, cause: EVIL }),
});
const AT = `/api/v1/hosts/${encodeURIComponent(MAC)}`;
const answers = {
  'GET /api/v1/hosts': () => ({ hosts: [evil], next: null }),
  [`GET ${AT}`]: () => evil,
  [`GET ${AT}/attempts`]: () => ({ attempts: [evil.attempt] }),
  'GET /api/v1/images': () => ({ images: [image({ tags: [EVIL] })], next: null }),
  'POST /api/v1/hosts': () => evil,
  [`PATCH ${AT}`]: () => evil,
  [`PUT ${AT}/ignored`]: () => evil,
  [`PUT ${AT}/os`]: () => ({ attempt: EVIL, digest: ONE, state: EVIL, reason }),
  ...Object.fromEntries(
    ['approve', 'hold', 'resume', 'retire', 'release'].map((word) => [`POST ${AT}/${word}`, () => evil]),
  ),
  [`POST ${AT}/rollback`]: () => ({ attempt: EVIL, digest: ONE, state: EVIL, reason }),
};

test.each([
  ['hosts'],
  ['host', MAC],
  ['images'],
  ['enrol', MAC],
  ['approve', MAC],
  ['hold', MAC],
  ['resume', MAC],
  ['retire', MAC],
  ['release', MAC],
  ['ignore', MAC],
  ['label', MAC, 'a=b'],
  ['set', MAC, '--append', 'quiet'],
  ['assign', MAC, 'one'],
  ['rollback', MAC],
])('%s: no text of others reaches the terminal as a command, nor as a line of its own', async (...argv) => {
  const server = await adminServer(answers);
  for (const more of [[], ['--json']]) {
    const { code, stdout, stderr } = await run([...argv, ...more, '--server', server.url]);
    expect([code, stderr]).toEqual([0, expect.any(String)]);
    expect(stdout + stderr).not.toMatch(/[^\P{Cc}\n]|\p{Bidi_Control}/u);
    expect(stdout.split('\n').filter((line) => line.startsWith('root@'))).toEqual([]);
    if (more.length > 0) expect(JSON.stringify(JSON.parse(stdout))).toContain('2J');
  }
});
