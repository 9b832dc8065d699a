import { expect, test } from 'vitest';
import type { BackupPolicy } from '../types';
import { changeOf, draftOf, fromFields, toFields } from './policyFields';

const policy = {
  target: 'node', enabled: true, time: '04:00', effectiveTimeZone: 'UTC', keep: { last: 3, hourly: 0, daily: 7, weekly: 4, monthly: 6, withinDays: 0 },
  ignore: ['*.log', '', '!keep.log'], limitMibPerSec: 20, servers: false, smallMemory: false, stopServer: true, testWeekly: true, targets: [], revision: 'r'
} as BackupPolicy;

test('a policy goes there and back', () => {
  const draft = draftOf(policy);
  expect(fromFields(toFields(draft))).toEqual(draft);
  expect(changeOf(draft)).toMatchObject({ timeZone: null, ignore: ['*.log', '', '!keep.log'], keep: policy.keep, limitMibPerSec: 20, stopServer: true, testWeekly: true });
});

test('empty lines at the end are none', () => {
  expect(changeOf({ ...draftOf(policy), ignore: 'a  \n\n\n' }).ignore).toEqual(['a']);
  expect(changeOf({ ...draftOf(policy), ignore: '' }).ignore).toEqual([]);
});
