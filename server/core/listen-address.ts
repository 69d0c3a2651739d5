import { WarmbootError } from './errors.ts';

/** Addresses that are listened on: how they are written, and what is said where one cannot be had. */

/** IPv6 addresses without brackets. */
type ListenAddress = { readonly host: string; readonly port: number };

/** `10.0.0.1:69`, `[::1]:69`. */
export function hostPort({ host, port }: ListenAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Whether it stands for all addresses of the machine. */
export function isEveryAddress(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

/** Whether only this machine itself reaches it. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

/** By which this machine itself reaches what listens there. */
export function fromHere({ host, port }: ListenAddress): ListenAddress {
  if (!isEveryAddress(host)) return { host, port };
  return { host: host === '::' ? '::1' : '127.0.0.1', port };
}

/** @param what begins the sentence, as `TFTP cannot listen on UDP` @param error of the system: it is known by its code */
export function cannotListen(what: string, at: ListenAddress, error: NodeJS.ErrnoException): WarmbootError {
  return new WarmbootError('unavailable', `${what} ${hostPort(at)}: ${why(error)}`);
}

function why({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'EADDRINUSE':
      return 'another program listens there; "warmboot doctor" says which. Stop it, or choose another port.';
    case 'EADDRNOTAVAIL':
      return 'this machine does not have the address. Give one that it has, or 0.0.0.0.';
    case 'EACCES':
      return 'ports below 1024 need root. Start as root, or choose another port.';
    default:
      return `${message}.`;
  }
}
