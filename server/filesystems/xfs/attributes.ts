import type { Latin1, NodeMetadata } from '../node.ts';
import { parsePosixAcl } from '../posix-acl.ts';
import { toXfsAcl } from './acl.ts';

/** An extended attribute as XFS names it: the prefix is a flag. */
export interface Attribute {
  readonly name: Latin1;
  /** 0 user, 2 root ("trusted"), 4 secure ("security"). */
  readonly namespace: number;
  readonly value: Latin1;
}

const USER = 0;
const ROOT = 2;
const SECURE = 4;
const NAMESPACES: readonly (readonly [prefix: string, namespace: number])[] = [
  ['user.', USER],
  ['trusted.', ROOT],
  ['security.', SECURE],
];
const ACLS: ReadonlyMap<Latin1, Latin1> = new Map([
  ['system.posix_acl_access', 'SGI_ACL_FILE'],
  ['system.posix_acl_default', 'SGI_ACL_DEFAULT'],
]);
const MAX_NAME = 255;
const MAX_VALUE = 65536;

/** Attributes in the order of their names, or a clause that says what XFS cannot hold. */
export function attributesOf({ xattrs }: NodeMetadata): readonly Attribute[] | string {
  if (xattrs.size === 0) return [];
  const found = new Map<string, Attribute>();
  // In the order of names, so that the order in the tar does not matter; "system" before "trusted" gives an ACL its one value.
  for (const full of [...xattrs.keys()].sort()) {
    const attribute = attributeOf(full, xattrs.get(full) as Latin1);
    if (typeof attribute === 'string') return attribute;
    if (attribute === null) continue;
    const key = `${attribute.namespace}${attribute.name}`;
    if (!found.has(key)) found.set(key, attribute);
  }
  return [...found.values()];
}

/** @returns null for an empty access control list, which is none */
function attributeOf(full: Latin1, value: Latin1): Attribute | string | null {
  const acl = ACLS.get(full);
  if (acl) {
    const entries = parsePosixAcl(value);
    if (entries === null) return `its ${full} is an access control list that is malformed`;
    return entries.length === 0 ? null : { name: acl, namespace: ROOT, value: toXfsAcl(entries) };
  }
  const [prefix, namespace] = NAMESPACES.find(([start]) => full.startsWith(start)) ?? [];
  if (prefix === undefined || namespace === undefined)
    return `its extended attribute ${full} is none of user, trusted and security`;
  const name = full.slice(prefix.length);
  if (name.length === 0 || name.length > MAX_NAME)
    return `the name of its extended attribute ${full} must have 1 to ${MAX_NAME} bytes behind the prefix`;
  if (value.length > MAX_VALUE)
    return `its extended attribute ${full} has ${value.length} bytes, and XFS takes ${MAX_VALUE}`;
  return { name, namespace, value };
}

const SHORT_HEADER = 4;
const MAX_SHORT_VALUE = 255;

/** Bytes of the attributes within the inode; infinite when a value is too long for that. */
export function shortAttributesBytes(attributes: readonly Attribute[]): number {
  return attributes.reduce(
    (total, { name, value }) =>
      value.length > MAX_SHORT_VALUE ? Number.POSITIVE_INFINITY : total + 3 + name.length + value.length,
    SHORT_HEADER,
  );
}

export function shortAttributes(attributes: readonly Attribute[]): Buffer {
  const fork = Buffer.alloc(shortAttributesBytes(attributes));
  fork.writeUInt16BE(fork.length, 0);
  fork[2] = attributes.length;
  let at = SHORT_HEADER;
  for (const { name, namespace, value } of attributes) {
    fork.set([name.length, value.length, namespace], at);
    fork.write(name + value, at + 3, 'latin1');
    at += 3 + name.length + value.length;
  }
  return fork;
}
