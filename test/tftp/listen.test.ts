import { expect, onTestFinished, test } from 'vitest';
import { startTftp } from '../../server/tftp/server.ts';

const files = async () => null;

test('a port that another has is refused in a sentence that says what to do', async () => {
  const first = await startTftp({ host: '127.0.0.1', port: 0, files });
  onTestFinished(first.close);
  await expect(startTftp({ host: '127.0.0.1', port: first.port, files })).rejects.toMatchObject({
    name: 'WarmbootError',
    message: `TFTP cannot listen on UDP 127.0.0.1:${first.port}: another program listens there; "warmboot doctor" says which. Stop it, or choose another port.`,
  });
});
