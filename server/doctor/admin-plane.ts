import { type Finding, ok, warning } from '../core/finding.ts';
import { isLoopback } from '../core/listen-address.ts';

/** @param host that the admin plane listens on */
export function adminTlsFinding(host: string, hasTls: boolean): Finding {
  const check = 'admin-tls';
  if (hasTls) return ok(check, 'the admin plane speaks HTTPS');
  if (isLoopback(host)) return ok(check, 'the admin plane speaks HTTP, to this machine alone');
  return warning(
    check,
    'the admin plane speaks HTTP to other machines: whoever listens on the network reads its tokens',
    'Add --admin-tls, or let it listen on 127.0.0.1: --admin-listen 127.0.0.1:8081.',
  );
}
