import { describe, expect, it } from 'vitest';
import { keyOf } from './keys';

const press = (key: string, more: Partial<KeyboardEvent> = {}) => keyOf({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more });

describe('keys of the list', () => {
  it('do what desktops do', () => {
    expect(press('Enter')?.does).toBe('open');
    expect(press('a', { ctrlKey: true })?.does).toBe('all');
    expect(press('A', { metaKey: true })?.does).toBe('all');
    expect(press('Delete', { shiftKey: true })?.does).toBe('deleteForever');
    expect(press('F10', { shiftKey: true })?.does).toBe('menu');
    expect(press('ArrowUp', { altKey: true })?.does).toBe('parent');
  });

  it('leave the browser its own, and give letters to the filter', () => {
    expect(press('r', { ctrlKey: true })).toBeNull();
    expect(press('ArrowLeft', { altKey: true })).toBeNull();
    expect(press('Tab')).toBeNull();
    expect(press('x')).toEqual({ does: '', type: 'x' });
  });
});
