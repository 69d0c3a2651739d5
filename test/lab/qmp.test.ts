import { duplexPair } from 'node:stream';
import { expect, test } from 'vitest';
import { Qmp, type QmpEvent, saysNoRoom } from '../../lab/qmp.ts';

/** QEMU 10.0, a disk file on a filesystem that is full. */
const NO_ROOM =
  '{"timestamp": {"seconds": 1796119833, "microseconds": 882729}, "event": "BLOCK_IO_ERROR", "data": {"device": "ide0-hd0", "nospace": true, "node-name": "#block157", "reason": "No space left on device", "operation": "write", "action": "stop"}}';

test('a machine that stands still because its disk file finds no room is told from one whose disk is broken', async () => {
  const [ours, theirs] = duplexPair();
  const heard: QmpEvent[] = [];
  theirs.once('data', () => theirs.write('{"return": {}, "id": 1}\n'));
  const qmp = await Qmp.open(ours, (event) => heard.push(event));
  theirs.write(`${NO_ROOM}\n{"event": "STOP"}\n${NO_ROOM.replace('"nospace": true', '"nospace": false')}\n`);
  await expect.poll(() => heard.length).toBe(3);
  expect(heard.map(({ event }) => event)).toEqual(['BLOCK_IO_ERROR', 'STOP', 'BLOCK_IO_ERROR']);
  expect(heard.map(saysNoRoom)).toEqual([true, false, false]);
  qmp.close();
});
