// biome-ignore-all lint/suspicious/noTemplateCurlyInString: a Dockerfile's own placeholders
import { expect, test } from 'vitest';
import { findReferences } from '../../../server/build/docker/dockerfile.ts';

const images = (text: string, args?: Record<string, string>) => findReferences(text, args).images;

test('FROM, COPY --from and RUN --mount, without stages and scratch, each once', () => {
  expect(
    images(`# syntax=docker/dockerfile:1
FROM debian:bookworm AS Build
FROM --platform=linux/amd64 warmboot/base as second
copy --from=build /a /a
COPY --chown=0:0 --from=warmboot/agent / /
COPY --from=0 /b /b
RUN --mount=type=bind,from=busybox:1,target=/b --mount=type=cache,target=/c true
FROM second
FROM scratch
COPY --from=warmboot/agent / /
`),
  ).toEqual(['debian:bookworm', 'warmboot/base', 'warmboot/agent', 'busybox:1']);
});

test('a stage with the name of an image counts only after it is declared', () => {
  expect(images('FROM debian AS debian\nFROM debian\n')).toEqual(['debian']);
});

test('arguments before the first FROM, their defaults, their defaults’ defaults', () => {
  const text =
    'ARG SUITE=bookworm\nARG NAME="debian"\nARG FULL=${NAME}:$SUITE\nFROM ${FULL}\nARG LATER=x\nFROM $LATER${NONE:-y}\n';
  expect(images(text)).toEqual(['debian:bookworm', 'y']);
  expect(images(text, { SUITE: 'trixie', NONE: 'ignored: not declared' })).toEqual(['debian:trixie', 'y']);
  expect(images('ARG A\nFROM x${A:+-with}', { A: '1' })).toEqual(['x-with']);
  expect(images('ARG constructor=debian\nFROM $constructor')).toEqual(['debian']);
});

test('continued lines, comments between them, another escape sign, no newline at the end', () => {
  expect(images('FROM \\\n# a comment\n\n  debian:12')).toEqual(['debian:12']);
  expect(images('# escape=`\nFROM `\ndebian:12\nRUN dir c:\\\nFROM other')).toEqual(['debian:12', 'other']);
});

test('what stands in here-documents is no instruction', () => {
  const text =
    'FROM a\nRUN <<EOF cat > x <<-"E2"\nFROM b\nEOF\n\tFROM c\n\tE2\nCOPY <<x /y\nFROM d\nx\nFROM e\n';
  expect(images(text)).toEqual(['a', 'e']);
  expect(images('FROM a\nRUN echo "1 << 2"\nFROM b')).toEqual(['a', 'b']);
});
