// The live stream of an area (server-sent events), held open for days. The browser's own reconnecting is not enough: it gives
// up for good on an HTTP error and sleeps for ever on a half-open connection. So: a watchdog closes a stream that has been
// silent, every failure opens a new one, and the screen always knows since when it has heard nothing.

export type LinkState = 'connecting' | 'live' | 'lost';

export interface LiveHandlers {
  event(name: string, data: unknown): void;
  state(state: LinkState, since: number): void;
  /** Asked after a failed opening: true when the session is gone, and opening again would be useless. */
  signedOut(): Promise<boolean>;
}

/** The part of EventSource that is used; tests put their own in its place. */
export interface Stream {
  addEventListener(name: string, on: (e: { data?: string }) => void): void;
  close(): void;
}

export const EVENTS = ['indicators', 'road_states', 'ranking', 'junctions', 'zone_states', 'sources', 'recorded', 'ping'] as const;
export const SILENT_MS = 4_000; // indicators come each second: four missed ones are a lost link
const WATCH_MS = 1_000;
const RETRY_FIRST_MS = 500;
const RETRY_LAST_MS = 3_000; // a screen heals within three seconds of the brain's return
const OPEN_MS = 10_000;

export class LiveLink {
  private stream: Stream | null = null;
  private heard = 0;
  private opened = 0;
  private isLive = false;
  private retryMs = RETRY_FIRST_MS;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly watchTimer: ReturnType<typeof setInterval>;
  private isClosed = false;

  constructor(
    private readonly url: string,
    private readonly on: LiveHandlers,
    private readonly open: (url: string) => Stream = (u) => new EventSource(u) as unknown as Stream,
    private readonly events: readonly string[] = EVENTS,
    private readonly silentMs = SILENT_MS,
  ) {
    this.heard = Date.now();
    this.watchTimer = setInterval(() => this.watch(), WATCH_MS);
    on.state('connecting', this.heard);
    this.connect();
  }

  close(): void {
    this.isClosed = true;
    clearInterval(this.watchTimer);
    clearTimeout(this.retryTimer);
    this.stream?.close();
    this.stream = null;
  }

  private connect(): void {
    if (this.isClosed) return;
    this.opened = Date.now();
    const stream = this.open(this.url);
    this.stream = stream;
    for (const name of this.events) {
      stream.addEventListener(name, (e) => {
        if (this.stream === stream) this.hear(name, e.data);
      });
    }
    stream.addEventListener('error', () => {
      if (this.stream === stream) void this.fail();
    });
  }

  private hear(name: string, data: string | undefined): void {
    this.heard = Date.now();
    this.retryMs = RETRY_FIRST_MS;
    if (!this.isLive) {
      this.isLive = true;
      this.on.state('live', this.heard);
    }
    if (name === 'ping' || !data) return;
    let parsed: unknown;
    try {
      parsed = JSON.parse(data);
    } catch {
      return; // a broken event is no reason to lose the good ones after it
    }
    this.on.event(name, parsed);
  }

  private watch(): void {
    const now = Date.now();
    if (this.isLive && now - this.heard > this.silentMs) void this.fail();
    else if (!this.isLive && this.stream && now - this.opened > OPEN_MS) void this.fail();
  }

  private async fail(): Promise<void> {
    this.stream?.close();
    this.stream = null;
    this.isLive = false;
    this.on.state('lost', this.heard);
    const isOut = await this.on.signedOut().catch(() => false);
    if (this.isClosed || isOut || this.stream) return;
    clearTimeout(this.retryTimer);
    this.retryTimer = setTimeout(() => this.connect(), this.retryMs * (0.75 + Math.random() / 2));
    this.retryMs = Math.min(this.retryMs * 2, RETRY_LAST_MS);
  }
}
