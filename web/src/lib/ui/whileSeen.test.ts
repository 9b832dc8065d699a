import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { whileSeen } from './whileSeen';

describe('what is asked again while the page is seen', () => {
  const page = { visibilityState: 'visible', addEventListener: vi.fn(), removeEventListener: vi.fn() };
  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal('document', page);
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
    page.visibilityState = 'visible';
  });

  it('is asked at once, then again, and not while the page is hidden', () => {
    const ask = vi.fn();
    const end = whileSeen(1_000, ask);
    expect(ask).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(2_000);
    expect(ask).toHaveBeenCalledTimes(3);
    page.visibilityState = 'hidden';
    vi.advanceTimersByTime(5_000);
    expect(ask).toHaveBeenCalledTimes(3);
    page.visibilityState = 'visible';
    end();
    vi.advanceTimersByTime(5_000);
    expect(ask).toHaveBeenCalledTimes(3);
    expect(page.removeEventListener).toHaveBeenCalledWith('visibilitychange', expect.any(Function));
  });
});
