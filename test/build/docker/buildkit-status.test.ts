import { expect, test } from 'vitest';
import { decodeBuildkitStatus } from '../../../server/build/docker/buildkit-status.ts';

// Recorded from Docker 26.1 while it built `RUN echo one > /one && echo hello-log`.
const COMPLETED =
  'CuMBCkdzaGEyNTY6ODA2ZDVjNDRmZGM3MjM5NmY4YzcwM2U4ZjA5ODNkMTg3Mjc2NWEzYjE3ZDdkZjVlZDYzN2I4NDFhZTcxMTY1MRJHc2hhMjU2OmFjMGJjMmI3NjM0YzJjMzgwNjYyZWNkMjZhZmE3MjQ5MDA5NTcyZGFlNTQxY2RlZGU0MTNlYmIxNmY2OTU0NzUaM1tzdGFnZS0wIDIvM10gUlVOIGVjaG8gb25lID4gL29uZSAmJiBlY2hvIGhlbGxvLWxvZyoMCIWOk9gGEPjipZgCMgwIhY6T2AYQw8jg4AI=';
const LOG =
  'GmUKR3NoYTI1Njo4MDZkNWM0NGZkYzcyMzk2ZjhjNzAzZThmMDk4M2QxODcyNzY1YTNiMTdkN2RmNWVkNjM3Yjg0MWFlNzExNjUxEgwIhY6T2AYQx+fi2QIYASIKaGVsbG8tbG9nCg==';
const STEP = 'sha256:806d5c44fdc72396f8c703e8f0983d1872765a3b17d7df5ed637b841ae711651';

test('steps and their lines', () => {
  expect(decodeBuildkitStatus(COMPLETED)).toEqual({
    steps: [
      {
        digest: STEP,
        inputs: ['sha256:ac0bc2b7634c2c380662ecd26afa7249009572dae541cdede413ebb16f695475'],
        name: '[stage-0 2/3] RUN echo one > /one && echo hello-log',
        cached: false,
        started: true,
        completed: true,
        error: '',
      },
    ],
    logs: [],
  });
  expect(decodeBuildkitStatus(LOG)).toEqual({
    steps: [],
    logs: [{ step: STEP, text: Buffer.from('hello-log\n') }],
  });
});

test('nothing, and what is no message, say nothing', () => {
  for (const text of ['', 'AAAA', LOG.slice(0, 40), '/////////w==']) {
    const { steps } = decodeBuildkitStatus(text);
    expect(steps).toEqual([]);
  }
});
