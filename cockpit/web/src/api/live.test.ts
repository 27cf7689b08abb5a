import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LiveLink, SILENT_MS } from './live';
import type { LinkState, Stream } from './live';

class FakeStream implements Stream {
  handlers = new Map<string, (e: { data?: string }) => void>();
  closed = false;
  addEventListener(name: string, on: (e: { data?: string }) => void): void {
    this.handlers.set(name, on);
  }
  close(): void {
    this.closed = true;
  }
  say(name: string, data?: string): void {
    this.handlers.get(name)?.({ data });
  }
}

describe('the live link', () => {
  const streams: FakeStream[] = [];
  const states: LinkState[] = [];
  const events: [string, unknown][] = [];
  let isOut = false;
  let link: LiveLink;

  beforeEach(() => {
    vi.useFakeTimers();
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    streams.length = states.length = events.length = 0;
    isOut = false;
    link = new LiveLink(
      '/live',
      {
        event: (name, data) => events.push([name, data]),
        state: (state) => states.push(state),
        signedOut: async () => isOut,
      },
      () => {
        const stream = new FakeStream();
        streams.push(stream);
        return stream;
      },
    );
  });
  afterEach(() => {
    link.close();
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  it('is live with the first event and passes events on, but not pings and not broken ones', () => {
    streams[0]!.say('ping');
    streams[0]!.say('indicators', '{"time":1}');
    streams[0]!.say('indicators', '{"time":');
    expect(states).toEqual(['connecting', 'live']);
    expect(events).toEqual([['indicators', { time: 1 }]]);
  });

  it('is lost after a silence, opens a new stream and hears nothing more from the old one', async () => {
    streams[0]!.say('ping');
    await vi.advanceTimersByTimeAsync(SILENT_MS + 1500);
    expect(states.at(-1)).toBe('lost');
    expect(streams[0]!.closed).toBe(true);
    await vi.advanceTimersByTimeAsync(1000);
    expect(streams.length).toBe(2);
    streams[0]!.say('indicators', '{"time":1}');
    expect(events).toEqual([]);
    streams[1]!.say('indicators', '{"time":2}');
    expect(states.at(-1)).toBe('live');
    expect(events).toEqual([['indicators', { time: 2 }]]);
  });

  it('retries for ever, at most three seconds and a half apart', async () => {
    for (let i = 0; i < 50; i++) {
      const n = streams.length;
      streams.at(-1)!.say('error');
      await vi.advanceTimersByTimeAsync(3500);
      expect(streams.length).toBe(n + 1);
    }
  });

  it('stops when the session is gone', async () => {
    isOut = true;
    streams[0]!.say('error');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(streams.length).toBe(1);
  });

  it('stops when closed, with no timer left', async () => {
    streams[0]!.say('error');
    link.close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(streams.length).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});
