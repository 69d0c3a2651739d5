// Exit code 0 while the server on this data folder is ready. Asked often: plain Node, without the command line around it.
import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { get as getTls } from 'node:https';

const { adminUrl, caPem } = JSON.parse(readFileSync(`${process.env.WARMBOOT_DATA ?? 'data'}/server.json`, 'utf8'));
const tls = caPem === null ? {} : { ca: caPem, servername: 'localhost' };
(caPem === null ? get : getTls)(`${adminUrl}/readyz`, { ...tls, timeout: 4_000 }, async (answer) => {
  process.stdout.write((await answer.toArray()).join(''));
  process.exitCode = answer.statusCode === 200 ? 0 : 1;
}).on('timeout', function () {
  this.destroy(new Error('no answer'));
});
