/** The calls of schedules. Apart from the others, since only one page needs them. */
import { call, client, path } from '../api';
import type { SchedulePlan, ScheduleTrigger } from '../types';

const of = (id: string, schedule: string) => ({ params: { path: { id, schedule } } });

export const schedules = {
  list: (id: string) => call(client.GET('/api/servers/{id}/schedules', path(id))),
  add: (id: string, body: SchedulePlan) => call(client.POST('/api/servers/{id}/schedules', { ...path(id), body })),
  replace: (id: string, schedule: string, body: SchedulePlan) => call(client.PUT('/api/servers/{id}/schedules/{schedule}', { ...of(id, schedule), body })),
  remove: (id: string, schedule: string) => call(client.DELETE('/api/servers/{id}/schedules/{schedule}', of(id, schedule))),
  run: (id: string, schedule: string, dry: boolean) => call(client.POST('/api/servers/{id}/schedules/{schedule}/run', { ...of(id, schedule), body: { dry } })),
  runs: (id: string) => call(client.GET('/api/servers/{id}/schedule-runs', path(id))),
  preview: (id: string, trigger: ScheduleTrigger) => call(client.POST('/api/servers/{id}/schedule-preview', { ...path(id), body: { trigger } }))
};
