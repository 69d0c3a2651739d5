import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ROOT } from './product.ts';

/**
 * Makes stack traces of the bundle point at lines of the sources; the bundle loads this first. Node's own
 * `--enable-source-maps` reads every map at each start; here a map is read when the first stack trace is shown.
 */
Error.prepareStackTrace = (error, sites) =>
  [heading(error), ...sites.map((site) => `    at ${sourceSite(site)}`)].join('\n');

const maps = new Map<string, SourceMap | null>();

function heading(error: Error): string {
  try {
    return Error.prototype.toString.call(error);
  } catch {
    return 'Error';
  }
}

/** As V8 writes it, with the place in the source. */
function sourceSite(site: NodeJS.CallSite): string {
  const text = String(site);
  const url = site.getFileName();
  const [line, column] = [site.getLineNumber(), site.getColumnNumber()];
  if (!url?.startsWith('file:') || line === null || column === null) return text;
  const file = fileURLToPath(url);
  const entry = mapOf(file)?.findEntry(line - 1, column - 1);
  if (!entry || !('originalSource' in entry)) return text;
  const source = relative(ROOT, resolve(dirname(file), entry.originalSource));
  const place = `${source}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  return text.replace(`${url}:${line}:${column}`, place);
}

/** Null for a file that has none: Node's modules, packages outside the bundle. */
function mapOf(file: string): SourceMap | null {
  let map = maps.get(file);
  if (map === undefined) {
    try {
      map = new SourceMap(JSON.parse(readFileSync(`${file}.map`, 'utf8')));
    } catch {
      map = null;
    }
    maps.set(file, map);
  }
  return map;
}
