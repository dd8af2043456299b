// Who is served here and what is homed here.
import { expect, test } from '@jest/globals';
import { servedUsers } from './served.ts';

const served = servedUsers({
  domains: ['Blue.example'],
  servedUsers: ['SIP:guest@RED.example'],
  awayUsers: ['sip:gone@Blue.example'],
});

test.each([
  ['sip:ines@blue.example', true],
  ['sip:guest@red.example', true],
  ['sip:other@red.example', false],
  ['sip:gone@blue.example', false],
  ['sip:ines@sub.blue.example', false],
  ['tel:+4930', false],
])('served: %s is %s', (identity, expected) => {
  expect(served.isServed(identity)).toBe(expected);
});

test('homed: the host decides, wherever a user receives service', () => {
  expect(served.isHomed('sip:gone@blue.example')).toBe(true);
  expect(served.isHomed('sip:guest@red.example')).toBe(false);
});
