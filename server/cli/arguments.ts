import { InvalidArgumentError } from 'commander';
import type { Listen } from './world.ts';

/** Readers of option values. They throw commander's InvalidArgumentError, which becomes a usage error. */

export function seconds(text: string): number {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || value <= 0) throw new InvalidArgumentError('It is a number of seconds.');
  return value;
}

/** As the server reads MACs; where hosts are named, anything else is a selector. */
export function isMac(text: string): boolean {
  return /^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(text);
}

const TIME_UNITS: Readonly<Record<string, number>> = { m: 60, h: 3600, d: 86_400, w: 7 * 86_400 };

/** `90m`, `12h`, `30d`, `2w`, as seconds. */
export function timeSpan(text: string): number {
  const match = /^([1-9]\d{0,5})([mhdw])$/.exec(text);
  if (!match) throw new InvalidArgumentError('It is a time like 90m, 12h, 30d or 2w.');
  return Number(match[1]) * (TIME_UNITS[match[2] ?? ''] ?? 0);
}

export function count(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It is a whole number.');
  return Number(text);
}

/** A path: an empty one is a variable that was never set, and would mean the working folder. */
export function path(text: string): string {
  if (text === '') throw new InvalidArgumentError('It is a path.');
  return text;
}

/** Paths with `:` between them, as in PATH. */
export function pathList(text: string): readonly string[] {
  return text.split(':').map(path);
}

/** Any text, given any number of times. */
export function texts(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/** `k=v`, given any number of times. */
export function label(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const match = /^([^=]+)=(.*)$/s.exec(text);
  if (!match?.[1]) throw new InvalidArgumentError('It is NAME=VALUE.');
  return { ...before, [match[1]]: match[2] ?? '' };
}

/** `a=IMAGE`, given once for each slot. */
export function assignment(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const match = /^([a-h])=(.+)$/.exec(text);
  if (!match?.[1] || !match[2]) throw new InvalidArgumentError('It is SLOT=IMAGE, as in a=debian-13.');
  if (before[match[1]] !== undefined) throw new InvalidArgumentError(`Slot ${match[1]} was named before.`);
  return { ...before, [match[1]]: match[2] };
}

/** `HOST:PORT`, `[IPv6]:PORT`, `:PORT` for every address, or a port alone. */
export function listen(text: string): Listen {
  const match = /^(?:(?:\[([0-9a-fA-F:.%a-z]+)\]|([^\s:[\]/]*)):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65_535)
    throw new InvalidArgumentError('It is ADDRESS:PORT, for example 0.0.0.0:8080.');
  return { host: match[1] || match[2] || '0.0.0.0', port };
}

/** `off` as it is (commander does not pass null on), or what `listen` takes. */
export function listenOrOff(text: string): Listen | 'off' {
  return text === 'off' ? text : listen(text);
}

/** A whole number of seconds, at most a day. */
export function wholeSeconds(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 86_400)
    throw new InvalidArgumentError('It is a whole number of seconds, at most 86400.');
  return Number(text);
}

const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
type LogLevel = (typeof LOG_LEVELS)[number];

export function logLevel(text: string): LogLevel {
  const level = LOG_LEVELS.find((each) => each === text);
  if (!level) throw new InvalidArgumentError(`It is one of ${LOG_LEVELS.join(', ')}.`);
  return level;
}

/** Also for the variable of a flag that has no value. */
export function yesOrNo(text: string): boolean {
  if (text !== 'yes' && text !== 'no') throw new InvalidArgumentError('It is yes or no.');
  return text === 'yes';
}

/** An absolute http(s) address; without the slash at its end. */
export function baseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.search || url.hash || url.username)
    throw new InvalidArgumentError('It is an address like http://10.0.0.1:8080.');
  return url.href.replace(/\/+$/, '');
}

/** A name that an image shall have; without a tag, `latest`. */
export interface ImageName {
  readonly name: string;
  readonly tag: string;
}

/** `NAME[:TAG]`. What is in the two is for the server to judge. */
export function imageName(text: string): ImageName {
  const match = /^([^:]+)(?::([^:]+))?$/.exec(text);
  if (!match?.[1]) throw new InvalidArgumentError('It is NAME or NAME:TAG.');
  return { name: match[1], tag: match[2] ?? 'latest' };
}

const SIZE_UNITS: Readonly<Record<string, number>> = {
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
};

/** `512MiB`, `4GiB`; a number alone is bytes. */
export function byteSize(text: string): number {
  const match = /^(\d{1,12})(KiB|MiB|GiB|TiB)?$/.exec(text);
  const value = Number(match?.[1]) * (SIZE_UNITS[match?.[2] ?? ''] ?? 1);
  if (!match || !Number.isSafeInteger(value))
    throw new InvalidArgumentError('It is a size like 512MiB or 4GiB.');
  return value;
}
