import { describe, expect, it } from 'vitest';
import { fromFields, settingsPatch, toFields, type Settings } from './settingsFields';
import { startupPatch } from './startupFields';

describe('settings as fields', () => {
  const settings: Settings = { name: 'a', image: 'i', limits: { memory: 1, swap: 2, disk: 3, io: 4, cpu: 5, processes: 6 }, ports: [{ internal: 1, external: 2, protocol: 'udp' }], blockLan: true };

  it('go there and back', () => {
    expect(fromFields(toFields(settings))).toEqual(settings);
  });

  it('only what was changed is sent', () => {
    expect(settingsPatch({ 'limits.memory': 7, blockLan: false })).toEqual({ limits: { memory: 7 }, blockLan: false });
    expect(settingsPatch({ name: 'b', 'limits.cpu': 0, 'limits.io': 9 })).toEqual({ name: 'b', limits: { cpu: 0, io: 9 } });
  });
});

describe('startup as fields', () => {
  it('whoever sees everything sends all variables, once one was changed', () => {
    const whole = { EULA: 'true', A: '1', B: '2' };
    expect(startupPatch({ startup: 'run' }, whole)).toEqual({ startup: 'run' });
    expect(startupPatch({ 'environment.A': '3', 'environment.B': undefined }, whole)).toEqual({ environment: { EULA: 'true', A: '3' } });
  });

  it('the others send what they changed', () => {
    expect(startupPatch({ 'environment.A': '3' }, null)).toEqual({ environment: { A: '3' } });
  });
});
