import type { Texts } from './texts';
import type { ScheduleAction, ScheduleCondition, SchedulePlan, ScheduleTrigger } from '../types';

/** What the form has for a trigger; `daily` is a cron pattern that a time of day stands for. */
export type TriggerKind = 'daily' | 'cron' | 'every' | 'status' | 'line' | 'node_started';
export type ConditionKind = 'nobody_online' | 'somebody_online' | 'running' | 'stopped';
export const TRIGGERS: TriggerKind[] = ['daily', 'cron', 'every', 'status', 'line', 'node_started'];
export const CONDITIONS: ConditionKind[] = ['nobody_online', 'somebody_online', 'running', 'stopped'];
export const ACTIONS = ['command', 'announce', 'power', 'wait', 'wait_line', 'wait_status', 'wait_empty', 'run'] as const;
export const STATUSES = ['running', 'stopped', 'crashed', 'starting', 'stopping'] as const;
export const POWERS = ['start', 'stop', 'restart', 'kill'] as const;

/** The time of day of a cron pattern that is nothing more, such as `05:00`. */
export function timeOf(pattern: string): string | null {
  const found = /^(\d{1,2}) (\d{1,2}) \* \* \*$/.exec(pattern.trim());
  if (!found || Number(found[1]) > 59 || Number(found[2]) > 23) return null;
  return `${found[2]!.padStart(2, '0')}:${found[1]!.padStart(2, '0')}`;
}

export function patternOf(time: string): string {
  const [hour, minute] = time.split(':');
  return `${Number(minute)} ${Number(hour)} * * *`;
}

export const kindOf = (trigger: ScheduleTrigger): TriggerKind => (trigger.kind === 'cron' && timeOf(trigger.pattern) !== null ? 'daily' : trigger.kind);

/** A trigger of this kind to begin with. */
export function newTrigger(kind: TriggerKind, zone: string): ScheduleTrigger {
  switch (kind) {
    case 'daily':
      return { kind: 'cron', pattern: '0 5 * * *', zone };
    case 'cron':
      return { kind: 'cron', pattern: '0 5 * * 1', zone };
    case 'every':
      return { kind: 'every', minutes: 60 };
    case 'status':
      return { kind: 'status', status: 'crashed' };
    case 'line':
      return { kind: 'line', pattern: '' };
    case 'node_started':
      return { kind: 'node_started' };
  }
}

export function newAction(kind: ScheduleAction['kind'], other: string): ScheduleAction {
  switch (kind) {
    case 'command':
      return { kind, command: '' };
    case 'announce':
      return { kind, command: 'say {left}', before: [300, 60, 10] };
    case 'power':
      return { kind, power: 'restart' };
    case 'wait':
      return { kind, seconds: 60 };
    case 'wait_line':
      return { kind, pattern: '', seconds: 300 };
    case 'wait_status':
      return { kind, status: 'running', seconds: 300 };
    case 'wait_empty':
      return { kind, seconds: 3600 };
    case 'run':
      return { kind, schedule: other };
  }
}

export const newCondition = (kind: ConditionKind): ScheduleCondition => (kind === 'running' || kind === 'stopped' ? { kind: 'status', status: kind } : { kind });

/** The form's word for a condition; none for one that only the API sets. */
export function conditionOf(condition: ScheduleCondition): ConditionKind | null {
  if (condition.kind === 'status') return condition.status === 'running' || condition.status === 'stopped' ? condition.status : null;
  return condition.kind === 'uptime' ? null : condition.kind;
}

/** The numbers of a text such as `300, 60, 10`, falling. */
export const secondsOf = (text: string): number[] => [...new Set(text.split(/[\s,;]+/).map(Number).filter((value) => Number.isInteger(value) && value > 0))].sort((a, b) => b - a);

/** A schedule as a sentence. */
export function sentence(plan: SchedulePlan, w: Texts, nameOf: (id: string) => string): string {
  const s = w.sentence;
  const { trigger } = plan;
  let when: string;
  if (trigger.kind === 'cron') {
    const time = timeOf(trigger.pattern);
    when = time === null ? s.cron(trigger.pattern, trigger.zone) : s.daily(time, trigger.zone);
  } else if (trigger.kind === 'every') when = s.every(trigger.minutes);
  else if (trigger.kind === 'status') when = s.status(w.statuses[trigger.status]);
  else if (trigger.kind === 'line') when = s.line(trigger.pattern);
  else when = s.node_started;
  const conditions = (plan.conditions ?? []).map((one) => {
    if (one.kind === 'uptime') return s.uptime(one.minutes);
    if (one.kind === 'status') return s.is(w.statuses[one.status]);
    return w.conditions[one.kind];
  });
  const only = conditions.length > 0 ? s.onlyIf(conditions.join(s.and)) : '';
  return when + only + s.then(plan.steps.map((step) => actionText(step.action, w, nameOf)).join(s.comma));
}

function actionText(action: ScheduleAction, w: Texts, nameOf: (id: string) => string): string {
  const s = w.sentence;
  switch (action.kind) {
    case 'command':
      return s.command(action.command);
    case 'announce':
      return s.announce;
    case 'power':
      return s.power(w.powers[action.power]);
    case 'wait':
      return s.wait(action.seconds);
    case 'wait_line':
      return s.wait_line(action.pattern);
    case 'wait_status':
      return s.wait_status(w.statuses[action.status]);
    case 'wait_empty':
      return s.wait_empty;
    case 'run':
      return s.run(nameOf(action.schedule));
  }
}
