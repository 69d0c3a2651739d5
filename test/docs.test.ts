import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { nbpFor, neededNbps } from '../server/core/client-architecture.ts';

const ROOT = resolve(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

function filesIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length + 1));
}

const PAGES = ['README.md', 'CHANGELOG.md', ...['docs', 'ipxe', 'bench', 'examples'].flatMap(filesIn)].filter(
  (path) => path.endsWith('.md'),
);

/** As GitHub makes them of headings. */
function anchors(page: string): Set<string> {
  const headings = read(page).match(/^#+ .*$/gm) ?? [];
  const slug = (heading: string) =>
    heading
      .replace(/^#+ /, '')
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-');
  return new Set(headings.map(slug));
}

test.each(PAGES)('%s: every link leads somewhere', (page) => {
  const broken = [...read(page).matchAll(/\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]*))?\)/g)].filter(
    ([, path, anchor]) => {
      const target = path ? join(dirname(page), path) : page;
      if (!existsSync(join(ROOT, target))) return true;
      return anchor !== undefined && target.endsWith('.md') && !anchors(target).has(anchor);
    },
  );
  expect(broken.map(([link]) => link)).toEqual([]);
});

/** How log lines and screen lines of ours begin. */
const LINE = /^(warmboot|Warmboot|TFTP|proxyDHCP|iPXE was told)[: ]/;
const words = (text: string): string[] => text.match(/[A-Za-z]{3,}/g) ?? [];
const SOURCE_LINES = ['server', 'images']
  .flatMap(filesIn)
  .filter((path) => !/\.(json|md)$/.test(path))
  .flatMap((path) => read(path).split('\n'))
  .map((line) => new Set(words(line)));

/** Names and numbers stand in the documentation where the program has variables: half of the words in one line are enough. */
function isSaid(line: string): boolean {
  const fixed = line.replace(/^[Ww]armboot: |\(try .*\)|\S*\/\S*|\b[A-Z]{2,}\b/g, '');
  const wanted = words(fixed);
  return SOURCE_LINES.some((has) => wanted.filter((word) => has.has(word)).length >= wanted.length / 2);
}

test.each(['docs/boot-flow.md', 'docs/dhcp.md'])(
  '%s: the lines that it tells to look for are said',
  (page) => {
    const lines = [...read(page).matchAll(/`([^`\n]+)`/g)]
      .map(([, span = '']) => span)
      .filter((span) => LINE.test(span));
    expect(lines.length).toBeGreaterThan(4);
    expect(lines.filter((line) => !isSaid(line))).toEqual([]);
  },
);

const DHCP_EXAMPLES = [...new Set(read('docs/dhcp.md').match(/(?<=\]\()examples\/[^)]+/g))];

/** The real servers read those that they can (`test/interop/dhcp-examples.test.ts`); this holds for the others too. */
test.each(DHCP_EXAMPLES)('%s: every boot program, and the entry script for iPXE', (example) => {
  const text = read(join('docs', example));
  const urls = [16, 19].map(nbpFor).flatMap((nbp) => ('name' in nbp ? [`/boot/nbp/${nbp.name}`] : []));
  for (const wanted of [...neededNbps(), ...urls, '/boot.ipxe', 'HTTPClient']) expect(text).toContain(wanted);
});
