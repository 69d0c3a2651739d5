import { expect, test } from 'vitest';
import { boundSockets } from '../../server/doctor/socket-table.ts';

const UDP = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  331: 00000000:0045 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 41523 2 0000000000000000 0
  412: 0100007F:8ACE 0100007F:0045 01 00000000:00000000 00:00000000 00000000     0        0 41524 2 0000000000000000 0
`;
const TCP6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 77 1 0000000000000000 100 0 0 10 0
   1: 00000000000000000000000001000000:1F90 00000000000000000000000001000000:D2F0 06 00000000:00000000 03:0000115C 00000000     0        0 0 3 0000000000000000
`;

test('sockets that listen, with port and inode; connected ones and the heading are none', () => {
  expect(boundSockets(UDP, 'udp')).toEqual([{ address: '00000000', port: 69, inode: '41523' }]);
  expect(boundSockets(TCP6, 'tcp')).toEqual([{ address: '0'.repeat(32), port: 8080, inode: '77' }]);
});

test('what is no table has no sockets', () => {
  expect(boundSockets('', 'udp')).toEqual([]);
  expect(boundSockets('garbage\n 1: x:y\n', 'tcp')).toEqual([]);
});
