import { expect, test } from 'vitest';
import { madeByOf } from '../../../server/build/tree/made-by.ts';

const of = (created_by: unknown, more: object = {}) => madeByOf([{ created_by, ...more }], 1)[0];

test.each([
  ['RUN /bin/sh -c apt-get update # buildkit', 'RUN apt-get update'],
  ['RUN |2 A=1 B=two words /bin/sh -c make "$A" # buildkit', 'RUN make "$A"'],
  ['|1 TOKEN=hunter2 /bin/sh -c make', 'RUN make'],
  ['/bin/sh -c apt-get update', 'RUN apt-get update'],
  ['/bin/sh -c #(nop) COPY dir:abc in / ', 'COPY dir:abc in /'],
  ['COPY / / # buildkit', 'COPY / /'],
  ["# debian.sh --arch 'amd64' out/ 'trixie'", "# debian.sh --arch 'amd64' out/ 'trixie'"],
  ['RUN /bin/sh -c set -e\nmake\n # buildkit', 'RUN set -e\nmake'],
  ['', null],
  [7, null],
  [undefined, null],
])('%j', (created_by, expected) => {
  expect(of(created_by)).toBe(expected);
});

test('a base that was imported says so in its comment', () => {
  expect(of('', { comment: 'Imported from -' })).toBe('Imported from -');
});

test('steps that changed no file have no layer', () => {
  const history = [
    { created_by: 'ADD rootfs.tar / # buildkit' },
    { created_by: 'CMD ["bash"]', empty_layer: true },
    { created_by: 'RUN /bin/sh -c true # buildkit' },
  ];
  expect(madeByOf(history, 2)).toEqual(['ADD rootfs.tar /', 'RUN true']);
});

test.each([[null], ['x'], [[]], [[{ created_by: 'a' }, { created_by: 'b' }]], [[null]]])(
  'a history that does not fit the layers says nothing: %j',
  (history) => {
    expect(madeByOf(history, 1)).toEqual([null]);
  },
);

test('a here-document is cut', () => {
  expect(String(of(`RUN /bin/sh -c ${'x'.repeat(9000)}`)).length).toBeLessThan(3000);
});
