import { execa } from 'execa';

/** The rack's network. The addresses are free to choose: the namespace knows no other network. */
export const SERVER_ADDRESS = '10.77.0.1';
const PREFIX_LENGTH = 16;
export const NETMASK = '255.255.0.0';
/**
 * Many more than machines. dnsmasq offers an address by the hash of the MAC and notes it only when it is asked for: of a hundred, two
 * machines that start together are now and then offered the same one, and a firmware that is then refused gives PXE up.
 */
export const RANGE_FIRST = '10.77.1.0';
export const RANGE_LAST = '10.77.255.254';

const ip = (...args: string[]) => execa('ip', args);

/** A new namespace begins without its own 127.0.0.1. */
export async function startLoopback(): Promise<void> {
  await ip('link', 'set', 'lo', 'up');
}

/** A switch with its server port: a bridge that carries the server's address. */
export async function makeBridge(name: string): Promise<void> {
  await startLoopback();
  await ip('link', 'add', name, 'type', 'bridge');
  await ip('address', 'add', `${SERVER_ADDRESS}/${PREFIX_LENGTH}`, 'dev', name);
  await ip('link', 'set', name, 'up');
}

/** A port of the switch, for one guest. */
export async function makeTap(name: string, bridge: string): Promise<void> {
  await ip('tuntap', 'add', 'dev', name, 'mode', 'tap');
  await ip('link', 'set', name, 'master', bridge, 'up');
}

export async function removeLink(name: string): Promise<void> {
  await execa('ip', ['link', 'delete', name], { reject: false });
}
