import { expect, test } from '@jest/globals';
import { FrameGate } from './frame-gate.ts';

/** Enters frames and remembers which have gone, and how to confirm them. */
function recorder(open = false) {
  const gate = new FrameGate(open);
  const sent: number[] = [];
  const done: (() => void)[] = [];
  let next = 0;
  return {
    sent,
    confirm: (place: number) => done[place]?.(),
    enter: (octets: number) => {
      const number = next++;
      gate.enter(octets, (confirmed) => {
        sent.push(number);
        done[number] = confirmed;
      });
    },
  };
}

test('small frames go side by side, 64 at a time, in order', () => {
  const { sent, confirm, enter } = recorder();
  for (let count = 0; count < 70; count++) enter(1_000);
  expect(sent).toHaveLength(64);
  confirm(3);
  expect(sent).toHaveLength(65);
  confirm(3);
  expect(sent).toHaveLength(65);
});

test('towards an engine that reads whatever comes nothing waits', () => {
  const { sent, enter } = recorder(true);
  for (let count = 0; count < 70; count++) enter(1_000);
  enter(11_000);
  enter(11_000);
  expect(sent).toHaveLength(72);
});

test('a large frame waits for those before it and goes alone', () => {
  const { sent, confirm, enter } = recorder();
  enter(1_000);
  enter(11_000);
  enter(1_000);
  expect(sent).toEqual([0]);
  confirm(0);
  expect(sent).toEqual([0, 1]);
  confirm(1);
  expect(sent).toEqual([0, 1, 2]);
});
