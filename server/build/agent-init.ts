import { joinArguments } from '../core/kernel-arguments.ts';
import type { FileTree } from '../filesystems/file-tree.ts';

/** Runs before PID 1 and gives the system its host's identity and files; then it becomes /sbin/init. */
export const AGENT_INIT = 'usr/lib/warmboot/init';

/**
 * The image's kernel arguments, which name the agent's `init` where the image has it. The same words for every way to start it, so
 * they are the image's and not a manifest's. Who names another init keeps it.
 */
export function argumentsWithInit(tree: FileTree, append: string): string {
  if (/(?:^| )init=/.test(append) || tree.resolve(AGENT_INIT)?.node.inode.meta.type !== 'file') return append;
  return joinArguments(append, `init=/${AGENT_INIT}`);
}
