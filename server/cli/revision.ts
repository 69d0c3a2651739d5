import { count } from './arguments.ts';

/** Of the commands that change one host, so that two operators do not take each other's changes away. */
export const REVISION = [
  '--revision <number>',
  'only while the host has this revision, as "host" shows it',
  count,
] as const;
